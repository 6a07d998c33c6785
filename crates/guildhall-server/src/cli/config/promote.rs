//! `guildhall config promote`: what one environment runs released in another.

use std::fmt::Write;

use clap::Args;
use guildhall_api::wire::{PromoteBody, PromotionList};
use guildhall_core::{
    config::{ConfigName, Outcome, Promotion, ReaderChange},
    document::{DocumentKey, Kind},
    history::VersionRef,
};

use super::set::How;
use crate::cli::{
    Exit, Failure,
    context::Context,
    diff,
    output::{self, Format},
};

const EXAMPLES: &str = "\
Examples:
  guildhall config promote users/staging/app.yaml --to prod --dry-run    what would change, and for whom
  guildhall config promote users/staging/app.yaml --to prod --comment 'load test passed'
  guildhall config promote users/staging/app.yaml --to prod --version 5
  guildhall config promote users/staging --to prod                       all files that differ, in one transaction

The target keeps its gray releases and tags. Its history says which release was promoted.";

/// Release in another environment what this one has
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Promote {
    /// SERVICE/ENVIRONMENT/FILE, or SERVICE/ENVIRONMENT for all files
    #[arg(value_name = "WHAT")]
    from: String,
    /// The environment that gets it; _ for what all share
    #[arg(long, value_name = "ENVIRONMENT")]
    to: String,
    /// Which version of the file, by its number or a tag; the live one if absent
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    #[command(flatten)]
    how: How,
}

impl Promote {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let source = self.source(&context)?;
        let body = PromoteBody {
            to: self.to.clone(),
            version: self.version.as_deref().map(VersionRef::of),
            comment: None,
        };
        let options = self.how.options();
        let promoted = context.client.promote_config(&source, &body, &options);
        let PromotionList { items } = promoted.await.map_err(|error| {
            let what = format!("{} was not promoted to {}", self.from, self.to);
            Failure::call(what, &error)
        })?;
        match context.output {
            Format::Json => return output::json(&items),
            Format::Yaml => return output::yaml(&items),
            _ => {}
        }
        let mut text = String::new();
        for item in &items {
            text.push_str(&shown(item, options.dry_run));
        }
        output::text(&text)?;
        for item in &items {
            for warning in &item.warnings {
                output::warn(&format!("{}: {warning}", item.to));
            }
        }
        Ok(())
    }

    fn source(&self, context: &Context) -> Result<DocumentKey, Failure> {
        let parts = self.from.split('/').count();
        let name = match parts {
            2 => format!("{}/-", self.from),
            _ => self.from.clone(),
        };
        ConfigName::parse(&name).map_err(|error| {
            let what = format!("{:?} names nothing that can be promoted", self.from);
            Failure::new(Exit::Usage, what)
                .why(error)
                .next("write SERVICE/ENVIRONMENT/FILE, or SERVICE/ENVIRONMENT for all its files")
        })?;
        Ok(DocumentKey::new(
            Kind::Config,
            context.namespace.clone(),
            name,
        ))
    }
}

/// What a person wants to know of one file.
fn shown(item: &Promotion, dry_run: bool) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let tried = if dry_run { " (dry run)" } else { "" };
    let Promotion {
        from, to, version, ..
    } = item;
    let said = match (item.outcome, item.draft) {
        (_, Some(id)) => format!("draft {id}, from {from}; to be approved, then released"),
        (Outcome::Unchanged, None) => format!("is the same already: version {version}"),
        (Outcome::Created, None) if dry_run => format!("would be new, from {from}"),
        (Outcome::Updated, None) if dry_run => format!("would change, from {from}"),
        (Outcome::Created | Outcome::Updated, None) => {
            format!("version {version}, promoted from {from}")
        }
    };
    let _ = writeln!(text, "config/{to} {said}{tried}");
    if item.outcome == Outcome::Unchanged {
        return text;
    }
    let diff = item.diff.textual.clone().unwrap_or_default();
    text.push_str(&diff::coloured(diff));
    for hidden in &item.hides {
        let source = hidden.source.as_ref();
        let source = source.map_or_else(String::new, |source| format!(" of {source}"));
        let (pointer, below, promoted) = (&hidden.pointer, &hidden.below, &hidden.promoted);
        let _ = writeln!(
            text,
            "hides {pointer}: {below}{source} is replaced by {promoted}"
        );
    }
    for reader in &item.readers {
        text.push_str(&readers(reader));
    }
    if item.more_readers > 0 {
        let _ = writeln!(text, "and readers of {} more files", item.more_readers);
    }
    text
}

/// The most values that are listed of one file's readers.
const VALUES: usize = 20;

fn readers(reader: &ReaderChange) -> String {
    let mut text = String::new();
    let listeners = &reader.listeners;
    let _ = write!(text, "readers of {}: {}", reader.file, listeners.count);
    if !listeners.instances.is_empty() {
        let more = listeners.count.saturating_sub(listeners.instances.len());
        let more = if more > 0 { ", …" } else { "" };
        let _ = write!(text, " ({}{more})", listeners.instances.join(", "));
    }
    text.push('\n');
    let changes = reader.changes.as_deref().unwrap_or_default();
    let word = |value: &Option<serde_json::Value>| {
        let value = value.as_ref();
        value.map_or_else(|| "nothing".to_owned(), ToString::to_string)
    };
    for change in changes.iter().take(VALUES) {
        let pointer = match change.pointer.as_str() {
            "" => "all",
            pointer => pointer,
        };
        let (before, after) = (word(&change.before), word(&change.after));
        let _ = writeln!(text, "  {pointer}: {before} → {after}");
    }
    if changes.len() > VALUES {
        let _ = writeln!(text, "  and {} more values", changes.len() - VALUES);
    }
    text
}
