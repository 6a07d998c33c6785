//! `guildhall diff`: what applying files would change.

use std::path::PathBuf;

use clap::Args;
use guildhall_core::document::Document;

use super::{
    Failure, apply,
    context::Context,
    manifest::{self, word},
    output,
};
use crate::text_diff;

const EXAMPLES: &str = "\
Examples:
  guildhall diff -f shop.yaml
  guildhall diff -f routes/ && echo nothing would change

The exit code is 0 if nothing would change, 9 if something would.";

/// Show what applying files would change
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Diff {
    /// A file, a directory, or - for stdin
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
}

impl Diff {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let mut same = true;
        for manifest in manifest::read(&self.files, &context.namespace)? {
            for document in &manifest.documents {
                let what = || format!("{} cannot be compared", word(&document.key()));
                let current = apply::present(&context, document)
                    .await
                    .map_err(|error| Failure::call(what(), &error))?;
                if current
                    .as_ref()
                    .is_none_or(|current| !current.same_intent(document))
                {
                    same = false;
                    output::text(&documents(current.as_ref(), Some(document))?)?;
                }
            }
        }
        if same {
            Ok(())
        } else {
            Err(apply::different())
        }
    }
}

/// What leads from `before` to `after`, as a unified diff of what users say in them.
pub(super) fn documents(
    before: Option<&Document>,
    after: Option<&Document>,
) -> Result<String, Failure> {
    let name = before
        .or(after)
        .map_or_else(String::new, |document| word(&document.key()));
    let is = |document: Option<&Document>, word: &str| match document {
        None => text_diff::NOTHING.to_owned(),
        Some(_) => format!("{name} ({word})"),
    };
    let (from, to) = (is(before, "there"), is(after, "file"));
    let unified = text_diff::documents(before, after, &from, &to);
    unified.map(coloured).map_err(output::unwritable)
}

/// A unified diff as a terminal shows it.
pub(super) fn coloured(unified: String) -> String {
    if !output::colours() {
        return unified;
    }
    let colour = |line: &str| match line.as_bytes().first() {
        Some(b'+') => format!("\u{1b}[32m{line}\u{1b}[0m\n"),
        Some(b'-') => format!("\u{1b}[31m{line}\u{1b}[0m\n"),
        Some(b'@') => format!("\u{1b}[36m{line}\u{1b}[0m\n"),
        _ => format!("{line}\n"),
    };
    unified.lines().map(colour).collect()
}
