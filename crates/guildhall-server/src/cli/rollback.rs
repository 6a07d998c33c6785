//! `guildhall rollback`: an earlier version in the place of what is there.

use clap::Args;
use guildhall_api::client::{Precondition, PutOptions};
use guildhall_core::{document::DocumentKey, history::VersionRef};

use super::{Failure, context::Context, diff, history::one, manifest::word, output};

const EXAMPLES: &str = "\
Examples:
  guildhall rollback policy calm --to 3 --comment 'the breaker opened too late'
  guildhall rollback httproute shop --to good      a tag: guildhall history httproute shop --tag good=3
  guildhall rollback policy calm --to 3 --dry-run  checks on the server and shows what would change

What was deleted is rolled back to like anything else. The rollback is a version, too.";

/// Put an earlier version of a document in its place
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Rollback {
    /// What kind of document; or KIND/NAME
    #[arg(value_name = "KIND")]
    kind: String,
    /// The document's name
    name: Option<String>,
    #[command(flatten)]
    back: Back,
}

/// Where to, and how
#[derive(Debug, Args)]
pub(super) struct Back {
    /// The version, by its number or a tag
    #[arg(long, value_name = "VERSION")]
    to: String,
    /// Why; kept in the document's history
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Only if the document still stands at this revision
    #[arg(long, value_name = "REVISION")]
    if_revision: Option<u64>,
    /// Check on the server and show what would change, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Make a draft of it, for others to approve; of configuration only
    #[arg(long)]
    draft: bool,
}

impl Rollback {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let key = one(&self.kind, self.name, &context.namespace)?;
        self.back.run(context, key).await
    }
}

impl Back {
    pub(super) async fn run(self, context: Context, key: DocumentKey) -> Result<(), Failure> {
        let refused = |error| Failure::call(format!("{} was not rolled back", word(&key)), &error);
        let current = match context.client.get(&key).await {
            Ok(current) => Some(current),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(refused(error)),
        };
        let options = PutOptions {
            precondition: self
                .if_revision
                .map_or(Precondition::None, Precondition::Revision),
            dry_run: self.dry_run,
            comment: self.comment,
            draft: self.draft,
        };
        let to = VersionRef::of(&self.to);
        let written = context
            .client
            .rollback(&key, &to, &options)
            .await
            .map_err(refused)?;
        let drafted = super::config::drafted(&key, &written);
        let written = written.document;
        let version = written.metadata().version;
        let same = current
            .as_ref()
            .is_some_and(|current| current.metadata().version == version);
        let said = match (same, self.dry_run) {
            (true, _) => format!("says what version {} says already", self.to),
            (false, true) => format!("would be version {version} (dry run)"),
            (false, false) => {
                drafted.unwrap_or_else(|| format!("rolled back to {}: version {version}", self.to))
            }
        };
        let shown = match self.dry_run && !same {
            true => diff::documents(current.as_ref(), Some(&written))?,
            false => String::new(),
        };
        output::text(&format!("{shown}{} {said}\n", word(&key)))
    }
}
