//! `guildhall snapshot`: the whole store in a file, and back.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand};

use super::{Exit, Failure, context::Context, output};

const EXAMPLES: &str = "\
Examples:
  guildhall snapshot save backup.guildhall
  guildhall snapshot restore backup.guildhall    replaces everything; watchers start over

Both work while the platform runs, and need a token with the scope admin.";

/// Save and restore everything the platform holds
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Snapshot {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a snapshot of this moment to a file
    Save {
        /// The file; it is there only once it is whole
        file: PathBuf,
    },
    /// Replace everything by a snapshot
    Restore {
        /// The file
        file: PathBuf,
    },
}

impl Snapshot {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        match self.action {
            Action::Save { file } => save(&context, file).await,
            Action::Restore { file } => restore(&context, file).await,
        }
    }
}

async fn save(context: &Context, file: PathBuf) -> Result<(), Failure> {
    let what = "the snapshot was not saved";
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failure, what).why(format!("{}: {error}", file.display()))
    };
    let mut download = context
        .client
        .snapshot()
        .await
        .map_err(|error| Failure::call(what, &error))?;
    let mut beside = file.clone().into_os_string();
    beside.push(".part");
    let mut out = std::fs::File::create(&beside).map_err(failed)?;
    let mut bytes = 0;
    loop {
        match download.chunk().await {
            Ok(Some(chunk)) => {
                bytes += chunk.len();
                out.write_all(&chunk).map_err(failed)?;
            }
            Ok(None) => break,
            Err(error) => {
                let _ = std::fs::remove_file(&beside);
                return Err(Failure::call(what, &error));
            }
        }
    }
    out.sync_all()
        .and_then(|()| std::fs::rename(&beside, &file))
        .map_err(failed)?;
    output::text(&format!("{} saved, {bytes} bytes\n", file.display()))
}

async fn restore(context: &Context, file: PathBuf) -> Result<(), Failure> {
    let what = "the snapshot was not restored";
    let bytes = std::fs::read(&file).map_err(|error| {
        Failure::new(Exit::Failure, what).why(format!("{}: {error}", file.display()))
    })?;
    let index = context
        .client
        .restore(bytes.into())
        .await
        .map_err(|error| Failure::call(what, &error))?;
    output::text(&format!(
        "{} restored; the index is {index}\n",
        file.display()
    ))
}
