//! `guildhall diff`: what applying files would change.

use std::path::PathBuf;

use clap::Args;
use guildhall_core::document::Document;

use super::{
    Failure, apply,
    apply::set,
    context::Context,
    drift,
    manifest::{self, Manifest, word},
    output,
};
use crate::text_diff;

const EXAMPLES: &str = "\
Examples:
  guildhall diff -f shop.yaml
  guildhall diff -f routes/ && echo nothing would change
  guildhall diff -f shop/ --drift                who changed what since it was applied?
  guildhall diff -f shop/ --drift --set shop     and what is of that set, but not in the files
  guildhall diff -f shop/ --drift -o json

The exit code is 0 if nothing would change, 9 if something would.";

/// Show what applying files would change
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Diff {
    /// A file, a directory, or - for stdin
    #[arg(short, long = "file", value_name = "PATH", required = true)]
    files: Vec<PathBuf>,
    /// Report what differs, who changed it, and since when
    #[arg(long)]
    drift: bool,
    /// Report documents of this set that are not in the files, too
    #[arg(long, value_name = "NAME", value_parser = set::name, requires = "drift")]
    set: Option<String>,
    /// Report those of all namespaces
    #[arg(short = 'A', long, requires = "set")]
    all_namespaces: bool,
}

impl Diff {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let manifests = manifest::read(&self.files, &context.namespace)?;
        let same = match self.drift {
            true => {
                let namespace = (!self.all_namespaces).then_some(&context.namespace);
                drift::report(&context, &manifests, self.set.as_deref(), namespace).await?
            }
            false => compare(&context, manifests).await?,
        };
        if same {
            Ok(())
        } else {
            Err(apply::different())
        }
    }
}

/// Prints what applying would change; whether that is nothing.
async fn compare(context: &Context, manifests: Vec<Manifest>) -> Result<bool, Failure> {
    let mut same = true;
    for manifest in manifests {
        let failed = |error| {
            let what = format!("{} cannot be compared", manifest.origin);
            Failure::call(what, &error)
        };
        let there = apply::present(context, &manifest.key)
            .await
            .map_err(failed)?;
        // Applying leaves a document in its set.
        let manifest = set::settled(manifest, there.as_ref(), None, false)?;
        for document in &manifest.documents {
            let failed = |error| {
                let what = format!("{} cannot be compared", word(&document.key()));
                Failure::call(what, &error)
            };
            let current = match document.key() == manifest.key {
                true => there.clone(),
                false => apply::present(context, &document.key())
                    .await
                    .map_err(failed)?,
            };
            let current = apply::comparable(context, current, document)
                .await
                .map_err(failed)?;
            if current
                .as_ref()
                .is_none_or(|current| !current.same_intent(document))
            {
                same = false;
                output::text(&documents(current.as_ref(), Some(document))?)?;
            }
        }
    }
    Ok(same)
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
