//! `guildhall apply`: makes the platform hold what files say.

use std::path::PathBuf;

use clap::Args;
use guildhall_api::client::{ClientError, PutOptions};
use guildhall_core::document::Document;

use super::{
    Exit, Failure,
    context::Context,
    diff, inline,
    manifest::{self, Manifest, word},
    output,
};

const EXAMPLES: &str = "\
Examples:
  guildhall apply -f shop.yaml               one file, with one or more documents
  guildhall apply -f routes/ -f gateway.json a directory and a file
  cat shop.yaml | guildhall apply -f -
  guildhall apply -f shop.yaml --dry-run     checks on the server, writes nothing
  guildhall apply -f shop.yaml --diff        shows what changes
  guildhall apply -f calm.yaml --comment 'checkout needs longer'";

/// Create or change documents, as files say
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Apply {
    /// A file, a directory, or - for stdin
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
    /// Check on the server, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Show what changes
    #[arg(long)]
    diff: bool,
    /// Why; kept in the history of each document that changes
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl Apply {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let manifests = manifest::read(&self.files, &context.namespace)?;
        let mut first = None;
        for manifest in manifests {
            // The others are tried all the same; the first failure decides the exit code.
            if let Err(failure) = self.one(&context, &manifest).await {
                failure.print();
                first.get_or_insert(failure);
            }
        }
        match first {
            None => Ok(()),
            Some(failure) => Err(failure.said()),
        }
    }

    async fn one(&self, context: &Context, manifest: &Manifest) -> Result<(), Failure> {
        let failed = |error: ClientError| {
            let what = format!("{} was not applied", word(&manifest.key));
            Failure::call(what, &error).why(format!("({})", manifest.origin))
        };
        let mut changed = false;
        let mut changes = String::new();
        for document in &manifest.documents {
            let current = present(context, document).await.map_err(failed)?;
            if current
                .as_ref()
                .is_none_or(|current| !current.same_intent(document))
            {
                changed = true;
                changes.push_str(&diff::documents(current.as_ref(), Some(document))?);
            }
        }
        let mut words = Vec::new();
        if changed {
            let options = PutOptions {
                dry_run: self.dry_run,
                comment: self.comment.clone(),
                ..PutOptions::default()
            };
            let written = context
                .client
                .put_json(&manifest.key, manifest.json.clone().into(), options)
                .await
                .map_err(failed)?;
            words.push(if written.created {
                "created"
            } else {
                "changed"
            });
        } else {
            words.push("unchanged");
        }
        if self.dry_run {
            words.push("(dry run)");
        }
        let shown = if self.diff { changes } else { String::new() };
        // A reader that has gone away does not keep the rest from being applied.
        let _ = output::text(&format!(
            "{shown}{} {}\n",
            word(&manifest.key),
            words.join(" ")
        ));
        for warning in &manifest.warnings {
            output::warn(&format!("{}: {warning}", manifest.origin));
        }
        Ok(())
    }
}

/// The document as it is, if it is there, as it can be compared with `document`.
pub(super) async fn present(
    context: &Context,
    document: &Document,
) -> Result<Option<Document>, ClientError> {
    match context.client.get(&document.key()).await {
        Ok(current) => inline::like(context, current, document).await.map(Some),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

impl Failure {
    /// The same, printed already.
    fn said(self) -> Self {
        Self::silent(self.code())
    }
}

/// Nothing but the code of a comparison that found something.
pub(super) fn different() -> Failure {
    Failure::silent(Exit::Different as u8)
}
