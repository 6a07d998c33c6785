//! `guildhall config listeners`: who reads a file, and what became of it.

use clap::Args;
use guildhall_core::{
    config::{ListenerRow, ListenerState, Running},
    document::Timestamp,
};

use super::File;
use crate::cli::{Failure, context::Context, manifest::word, output, words};
use crate::{
    clock,
    table::{Table, Tone, plain, toned},
};

/// See who runs which version of a file, since when, and why not
#[derive(Debug, Args)]
pub(super) struct Listeners {
    #[command(flatten)]
    file: File,
}

impl Listeners {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let key = self.file.key(&context)?;
        let what = format!("the listeners of {} cannot be read", word(&key));
        let found = context.client.config_listeners(&key).await;
        let items = found.map_err(|error| Failure::call(what, &error))?.items;
        let names = || items.iter().map(|row| row.instance.clone()).collect();
        output::value(context.output, &items, || table(&items), names)
    }
}

fn table(items: &[ListenerRow]) -> Table {
    let none = "none: nobody who says its instance's id reads this file from this server";
    let mut table = Table::new(&["instance", "state", "runs", "since", "sent", "why"], none);
    let now = Timestamp::from_system(clock::wall());
    for row in items {
        let (state, tone) = match (row.state, row.connected) {
            (_, false) => ("gone".to_owned(), Tone::Doubtful),
            (ListenerState::Applied, _) => ("applied".to_owned(), Tone::Good),
            (ListenerState::Failed, _) => ("failed".to_owned(), Tone::Bad),
            (ListenerState::Pending, _) => ("pending".to_owned(), Tone::Doubtful),
        };
        let since = row.running.as_ref();
        let since = since.map_or_else(String::new, |running| words::age(running.since, now));
        let error = row.error.as_deref().unwrap_or_default();
        table.row([
            plain(&row.instance),
            toned(state, tone),
            plain(versions(row.running.as_ref())),
            plain(since),
            plain(versions(row.sent.as_ref())),
            plain(error.lines().next().unwrap_or_default()),
        ]);
    }
    table
}

fn versions(running: Option<&Running>) -> String {
    let Some(running) = running else {
        return "-".to_owned();
    };
    if running.inputs.is_empty() {
        return running.tag.to_string();
    }
    let inputs = running.inputs.iter().map(|input| input.to_string());
    inputs.collect::<Vec<_>>().join(", ")
}
