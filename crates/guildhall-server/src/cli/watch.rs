//! `guildhall watch`: changes as they happen.

use clap::Args;
use guildhall_api::{client::WatchScope, wire::WatchEvent};
use guildhall_core::document::Kind;

use super::{
    Failure,
    context::Context,
    get,
    instances::service,
    manifest::word,
    output::{self, Format},
    words,
};

const EXAMPLES: &str = "\
Examples:
  guildhall watch                                everything, as it changes
  guildhall watch instances --service user-service
  guildhall watch services httproutes -o json    one JSON object a line";

/// Print changes as they happen
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Watch {
    /// The kinds [default: all]
    #[arg(value_name = "KIND")]
    kinds: Vec<String>,
    /// Only what belongs to this service
    #[arg(long)]
    service: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only changes, not what is there already
    #[arg(long)]
    changes: bool,
}

impl Watch {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let kinds = match self.kinds.as_slice() {
            [] => Kind::ALL.to_vec(),
            words => words
                .iter()
                .map(|word| get::kind(word))
                .collect::<Result<_, _>>()?,
        };
        let scope = WatchScope {
            kinds,
            namespace: (!self.all_namespaces).then(|| context.namespace.clone()),
            service: self.service.as_deref().map(service).transpose()?,
        };
        let mut stream = context.client.watch(scope, None);
        let (mut started, mut silent) = (false, self.changes);
        loop {
            let item = match stream.next().await {
                Ok(item) => item,
                // A watch that once worked takes itself up again; one that never did is a mistake.
                Err(error) if started && error.is_retryable() => {
                    output::warn(&format!("{error}; trying again"));
                    continue;
                }
                Err(error) => return Err(Failure::call("nothing can be watched", &error)),
            };
            started = true;
            if matches!(item.event, WatchEvent::Bookmark) {
                silent = false;
            } else if !silent && !output::line(&line(&item.event, context.output))? {
                return Ok(());
            }
        }
    }
}

fn line(event: &WatchEvent, format: Format) -> String {
    let what = event.kind().word();
    if format != Format::Table {
        let document = match event {
            WatchEvent::Added(document) | WatchEvent::Modified(document) => {
                serde_json::to_value(document)
            }
            WatchEvent::Deleted(deleted) => serde_json::to_value(deleted),
            WatchEvent::Resync(resync) => serde_json::to_value(resync),
            WatchEvent::Bookmark => return String::new(),
        };
        return format!(
            "{}\n",
            serde_json::json!({"event": what, "document": document.unwrap_or_default()})
        );
    }
    match event {
        WatchEvent::Added(document) | WatchEvent::Modified(document) => {
            format!(
                "{what:<9} {}  {}\n",
                word(&document.key()),
                words::summary(document).0
            )
        }
        WatchEvent::Deleted(deleted) => format!("{what:<9} {}\n", word(&deleted.document_key())),
        WatchEvent::Resync(resync) => format!("{what:<9} all is told anew ({})\n", resync.reason),
        WatchEvent::Bookmark => String::new(),
    }
}
