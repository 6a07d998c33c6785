//! `guildhall snapshot`: the whole store in a file, and back.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use super::{Exit, Failure, context::Context, output};
use crate::platform::Platform;

const EXAMPLES: &str = "\
Examples:
  guildhall snapshot save backup.guildhall
  guildhall snapshot restore backup.guildhall    replaces everything; watchers start over

  guildhall snapshot restore backup.guildhall --data-dir /var/lib/guildhall
                                                 the same for a node that does not run, or cannot start

Without --data-dir both work while the platform runs, and need a token with the scope admin.";

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
        /// The data directory of a node that is not running; what it held is kept beside the restored store
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
    },
}

impl Snapshot {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        match self.action {
            Action::Save { file } => save(&context, file).await,
            Action::Restore {
                file,
                data_dir: Some(data_dir),
            } => restore_stopped(&data_dir, &file),
            Action::Restore { file, .. } => restore(&context, file).await,
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
    // It holds everything, also what only its owner may read.
    let mut out = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed)?;
    let written = async {
        let mut bytes = 0;
        while let Some(chunk) = download
            .chunk()
            .await
            .map_err(|error| Failure::call(what, &error))?
        {
            bytes += chunk.len();
            out.write_all(&chunk).map_err(failed)?;
        }
        out.sync_all()
            .and_then(|()| std::fs::rename(&beside, &file))
            .map_err(failed)?;
        Ok(bytes)
    };
    let written: Result<usize, Failure> = written.await;
    let bytes = written.inspect_err(|_| drop(std::fs::remove_file(&beside)))?;
    output::text(&format!("{} saved, {bytes} bytes\n", file.display()))
}

fn restore_stopped(data_dir: &Path, file: &Path) -> Result<(), Failure> {
    let index = Platform::restore(data_dir, file)
        .map_err(|error| Failure::new(Exit::Failure, "the snapshot was not restored").why(error))?;
    output::text(&format!(
        "{} restored into {}; the index is {index}\n",
        file.display(),
        data_dir.display()
    ))
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
