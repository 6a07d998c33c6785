//! `guildhall config draft`: releases that wait for the approval of others.

use clap::{Args, Subcommand};
use guildhall_api::client::Written;
use guildhall_core::{
    config::{Approval, Draft, DraftRow, seal::Sight},
    document::{Document, DocumentKey, Object, Timestamp},
};

use super::{File, set::How};
use crate::cli::{
    Exit, Failure,
    context::Context,
    diff,
    manifest::word,
    output::{self, Format},
    words,
};
use crate::{
    clock,
    table::{Table, Tone, plain, toned},
};

const EXAMPLES: &str = "\
Examples:
  guildhall config draft require users/prod/app.yaml 1     from now on somebody else must approve
  guildhall config set users/prod/app.yaml -f app.yaml --draft --comment 'smaller pool'
  guildhall config draft list                              what waits, of all files
  guildhall config draft diff users/prod/app.yaml 3        what would change
  guildhall config draft approve users/prod/app.yaml 3     not your own
  guildhall config draft release users/prod/app.yaml 3
  guildhall config draft delete users/prod/app.yaml 3

--draft also stands with edit, rollback, promote, seal, schema and gray.
A draft is made from one version of the file: once the file is released otherwise, it is stale.
Taking a gray release back needs no approval; fewer approvals, or the file's deletion, need the
scope admin.";

/// Have changes approved by others before they are released
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Drafts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    /// Show what a draft is to release, as it was written
    Show {
        #[command(flatten)]
        which: Which,
        /// Show sealed values, too; takes the scope reveal
        #[arg(long)]
        reveal: bool,
    },
    /// Show what a draft changes
    Diff(Which),
    /// Approve a draft of somebody else's
    Approve(Which),
    /// Release a draft
    Release {
        #[command(flatten)]
        which: Which,
        /// Why, instead of what the draft says; kept in the file's history
        #[arg(long, value_name = "TEXT")]
        comment: Option<String>,
        /// Check on the server, write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Take a draft away
    Delete(Which),
    Require(Require),
}

/// List the drafts, of one file or of all
#[derive(Debug, Args)]
struct List {
    /// SERVICE/ENVIRONMENT/FILE; all of the namespace if absent
    #[arg(value_name = "FILE")]
    config: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long, conflicts_with = "config")]
    all_namespaces: bool,
}

/// Which draft
#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    file: File,
    /// Its number
    #[arg(value_name = "NUMBER")]
    id: u32,
}

/// Say how many others must approve a change of a file
#[derive(Debug, Args)]
struct Require {
    #[command(flatten)]
    file: File,
    /// How many; 0: a change needs nobody. Fewer than before takes the scope admin
    count: u32,
    #[command(flatten)]
    how: How,
}

impl Drafts {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        match self.command {
            Command::List(list) => list.run(&context).await,
            Command::Show { which, reveal } => which.show(&context, reveal).await,
            Command::Diff(which) => which.diff(&context).await,
            Command::Approve(which) => which.approve(&context).await,
            Command::Release {
                which,
                comment,
                dry_run,
            } => which.release(&context, comment, dry_run).await,
            Command::Delete(which) => which.delete(&context).await,
            Command::Require(require) => require.run(&context).await,
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let client = &context.client;
        let found = match &self.config {
            Some(name) => client.drafts(&super::key(name, context)?).await,
            None => {
                let namespace = (!self.all_namespaces).then_some(&context.namespace);
                client.all_drafts(namespace).await
            }
        };
        let failed = |error| Failure::call("the drafts cannot be listed", &error);
        let rows = found.map_err(failed)?.items;
        let names = || {
            let names = rows.iter().map(|row| row.draft.metadata.name.clone());
            names.collect()
        };
        output::value(
            context.output,
            &rows,
            || table(&rows, self.all_namespaces),
            names,
        )
    }
}

impl Which {
    async fn show(self, context: &Context, reveal: bool) -> Result<(), Failure> {
        let (key, id) = (self.file.key(context)?, self.id);
        let failed = |error| Failure::call(format!("{} cannot be read", named(&key, id)), &error);
        let structured = matches!(context.output, Format::Json | Format::Yaml);
        if structured {
            let row = context.client.draft(&key, id).await.map_err(failed)?;
            return match context.output {
                Format::Json => output::json(&row),
                _ => output::yaml(&row),
            };
        }
        let sight = match reveal {
            true => Sight::Revealed,
            false => Sight::Masked,
        };
        let content = context.client.draft_content(&key, id, sight).await;
        output::bytes(&content.map_err(failed)?)
    }

    async fn diff(self, context: &Context) -> Result<(), Failure> {
        let (key, id) = (self.file.key(context)?, self.id);
        let failed = |error| Failure::call(format!("{} cannot be read", named(&key, id)), &error);
        let found = context.client.draft_diff(&key, id).await.map_err(failed)?;
        match context.output {
            Format::Json => output::json(&found),
            Format::Yaml => output::yaml(&found),
            _ => {
                if found.draft.stale {
                    output::warn(&stale(&found.draft.draft));
                }
                // The content is what people want to see, if that is what changes.
                let content = found.content.textual.filter(|text| !text.is_empty());
                output::text(&diff::coloured(content.unwrap_or(found.text)))
            }
        }
    }

    async fn approve(self, context: &Context) -> Result<(), Failure> {
        let (key, id) = (self.file.key(context)?, self.id);
        let what = format!("{} was not approved", named(&key, id));
        let approved = context.client.approve_draft(&key, id).await;
        let row = approved.map_err(|error| Failure::call(what, &error))?;
        let (there, required) = (row.draft.approvals.len(), row.required);
        let ready = usize::try_from(required).is_ok_and(|required| there >= required);
        let next = match ready {
            true => format!("; guildhall config draft release {} {id}", key.name),
            false => String::new(),
        };
        output::text(&format!(
            "{} approved: {there} of {required}{next}\n",
            named(&key, id)
        ))
    }

    async fn release(
        self,
        context: &Context,
        comment: Option<String>,
        dry_run: bool,
    ) -> Result<(), Failure> {
        let (key, id) = (self.file.key(context)?, self.id);
        let what = format!("{} was not released", named(&key, id));
        let options = guildhall_api::client::PutOptions {
            comment,
            dry_run,
            ..Default::default()
        };
        let released = context.client.release_draft(&key, id, &options).await;
        let written = released.map_err(|error| Failure::call(what, &error))?;
        let version = written.document.metadata().version;
        let said = match dry_run {
            true => format!("would be version {version} (dry run)"),
            false => format!("version {version}, of draft {id}"),
        };
        output::text(&format!("{} {said}\n", word(&key)))
    }

    async fn delete(self, context: &Context) -> Result<(), Failure> {
        let (key, id) = (self.file.key(context)?, self.id);
        let what = format!("{} was not deleted", named(&key, id));
        let deleted = context.client.delete_draft(&key, id).await;
        deleted.map_err(|error| Failure::call(what, &error))?;
        output::text(&format!("{} deleted\n", named(&key, id)))
    }
}

impl Require {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let key = self.file.key(context)?;
        let failed = |error| Failure::call(format!("{} was not changed", word(&key)), &error);
        let document = context.client.get(&key).await.map_err(failed)?;
        let Document::Config(config) = &document else {
            let what = format!("{} is no file of configuration", word(&key));
            return Err(Failure::new(Exit::Failure, what));
        };
        let mut changed = Object::clone(config);
        let required = self.count;
        changed.spec.approval = (required > 0).then_some(Approval { required });
        let mut how = self.how;
        how.if_revision.get_or_insert(config.metadata.revision);
        let changed = Document::from(changed).portable();
        let written = context.client.put(&changed, how.options()).await;
        let written = written.map_err(failed)?;
        let said = drafted(&key, &written).unwrap_or_else(|| {
            let version = written.document.metadata().version;
            match required {
                0 => format!("version {version}: changes need nobody's approval"),
                _ => format!("version {version}: changes need the approval of others ({required})"),
            }
        });
        output::text(&format!("{} {said}\n", word(&key)))
    }
}

/// What became of a write that was drafted, with the next move; `None` of any other.
pub(in crate::cli) fn drafted(key: &DocumentKey, written: &Written) -> Option<String> {
    let id = written.draft?;
    Some(format!(
        "draft {id}: see it with guildhall config draft diff {} {id}",
        key.name
    ))
}

fn named(key: &DocumentKey, id: u32) -> String {
    format!("draft {id} of {}", word(key))
}

fn stale(draft: &Draft) -> String {
    format!(
        "the file has been released since this draft was made from version {}: draft it anew",
        draft.base
    )
}

fn table(rows: &[DraftRow], with_namespace: bool) -> Table {
    let columns = ["file", "draft", "by", "age", "approved", "state", "comment"];
    let mut table = Table::new(&columns, "no drafts");
    let now = Timestamp::from_system(clock::wall());
    for DraftRow {
        draft,
        required,
        stale,
    } in rows
    {
        let there = draft.approvals.len();
        let (state, tone) = match (*stale, *required as usize <= there) {
            (true, _) => ("stale", Tone::Bad),
            (false, true) => ("ready", Tone::Good),
            (false, false) => ("waits", Tone::Doubtful),
        };
        let approved = match there {
            0 => format!("0 of {required}"),
            _ => {
                let by: Vec<&str> = draft.approvals.iter().map(|one| &*one.by).collect();
                format!("{there} of {required}: {}", by.join(", "))
            }
        };
        let metadata = &draft.metadata;
        let file = match with_namespace {
            true => format!("{}: {}", metadata.namespace, metadata.name),
            false => metadata.name.clone(),
        };
        // A comment of several lines is one in a table.
        let comment = draft.comment.as_deref().unwrap_or_default();
        table.row([
            plain(file),
            plain(draft.id),
            plain(&draft.author),
            plain(words::age(draft.created_at, now)),
            plain(approved),
            toned(state, tone),
            plain(comment.split_whitespace().collect::<Vec<_>>().join(" ")),
        ]);
    }
    table
}
