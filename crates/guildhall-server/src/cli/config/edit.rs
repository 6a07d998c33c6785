//! `guildhall config edit`: a file's content in the editor, released when that is left.

use std::{ffi::OsString, io::Write, process::Command};

use clap::Args;
use guildhall_core::config::seal::Sight;

use super::{File, set};
use crate::cli::{Exit, Failure, context::Context, manifest::word, output};

const EXAMPLES: &str = "\
The editor is that of VISUAL or EDITOR, vi if neither is set. What the server refuses stays in the file that is named,
for another try. If somebody else released the file meanwhile, nothing is overwritten.
Sealed values show as ******; those that are left so stay what they are.";

/// Edit a file as it was written, and release it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Edit {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    how: set::How,
}

impl Edit {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let key = self.file.key(&context)?;
        let failed = |error| Failure::call(format!("{} cannot be read", word(&key)), &error);
        // The revision is read first: a release in between makes the precondition fail, not the edit get lost.
        let (revision, before) = match context.client.get(&key).await {
            Ok(document) => {
                let content = context.client.content(&key, None, Sight::Masked).await;
                let content = content.map_err(failed)?;
                (document.metadata().revision, content)
            }
            Err(error) if error.is_not_found() => (0, bytes::Bytes::new()),
            Err(error) => return Err(failed(error)),
        };
        let name = key.name.rsplit('/').next().unwrap_or_default();
        let unwritable = |error: std::io::Error| {
            Failure::new(Exit::Failure, "the file to edit cannot be written").why(error)
        };
        let mut file = tempfile::Builder::new()
            .prefix("guildhall-")
            .suffix(&format!("-{name}"))
            .tempfile()
            .map_err(unwritable)?;
        file.write_all(&before).map_err(unwritable)?;
        edited(file.path())?;
        let after = std::fs::read(file.path()).map_err(unwritable)?;
        if after == before {
            return output::text(&format!("{} unchanged\n", word(&key)));
        }
        let mut how = self.how;
        how.if_revision.get_or_insert(revision);
        let released = set::release(&context, &key, after, None, how.options()).await;
        released.map_err(|failure| match file.keep() {
            Ok((_, path)) => failure.next(format!("your text is in {}", path.display())),
            Err(_) => failure,
        })
    }
}

/// Runs the editor on `path` and waits for it.
fn edited(path: &std::path::Path) -> Result<(), Failure> {
    let set = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let editor = set("VISUAL").or_else(|| set("EDITOR"));
    let editor = editor.unwrap_or_else(|| "vi".into());
    // As git does it: the variable may hold arguments.
    let status = Command::new("sh")
        .arg("-c")
        .arg(r#"eval "$GUILDHALL_EDITOR \"\$1\"""#)
        .arg("sh")
        .arg(path)
        .env("GUILDHALL_EDITOR", &editor)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(
            Exit::Failure,
            format!("the editor {editor:?} ended with {status}; nothing was released"),
        )),
        Err(error) => Err(Failure::new(Exit::Failure, "the editor cannot be run")
            .why(error)
            .next("name one in EDITOR")),
    }
}
