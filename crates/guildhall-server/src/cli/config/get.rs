//! `guildhall config get`: what a file comes to, or as it was written.

use clap::Args;
use guildhall_core::{config::seal::Sight, history::VersionRef};

use super::{File, For};
use crate::cli::{
    Failure,
    context::Context,
    manifest::word,
    output::{self, Format},
};
use crate::table::{Table, plain};

/// Print what a file's readers get
#[derive(Debug, Args)]
pub(super) struct Get {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    reader: For,
    /// The file alone, as it was written, with nothing laid under it
    #[arg(long, conflicts_with = "origins")]
    raw: bool,
    /// The file alone, as this version had it: a number or a tag
    #[arg(long, value_name = "VERSION", conflicts_with = "origins")]
    version: Option<String>,
    /// Each value, and where it was written
    #[arg(long)]
    origins: bool,
    /// Sealed values too, instead of ******; takes a token with the scope reveal
    #[arg(long)]
    reveal: bool,
}

impl Get {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let key = self.file.key(&context)?;
        let reader = self.reader.reader();
        let sight = match self.reveal {
            true => Sight::Revealed,
            false => Sight::Masked,
        };
        let failed = |error| Failure::call(format!("{} cannot be read", word(&key)), &error);
        if self.origins {
            let found = context
                .client
                .config_origins(&key, reader.as_ref(), sight)
                .await
                .map_err(failed)?;
            let pointers = || {
                found
                    .origins
                    .iter()
                    .map(|one| one.pointer.clone())
                    .collect()
            };
            return match context.output {
                Format::Json => output::json(&found),
                Format::Yaml => output::yaml(&found),
                format => output::value(format, &found.origins, || table(&found.origins), pointers),
            };
        }
        let content = match (self.raw, &self.version) {
            (false, None) => {
                let found = context
                    .client
                    .effective_config(&key, reader.as_ref(), sight)
                    .await;
                found.map_err(failed)?.content
            }
            (_, version) => {
                let version = version.as_deref().map(VersionRef::of);
                let content = context.client.content(&key, version.as_ref(), sight).await;
                content.map_err(failed)?
            }
        };
        output::bytes(&content)
    }
}

fn table(origins: &[guildhall_core::config::Origin]) -> Table {
    let none = "one file alone, as it was written: nothing is laid over anything";
    let mut table = Table::new(&["value", "written in", "version", "line", "column"], none);
    for origin in origins {
        table.row([
            plain(&origin.pointer),
            plain(&origin.source.config),
            plain(origin.source.version),
            plain(origin.position.line),
            plain(origin.position.column),
        ]);
    }
    table
}
