//! `guildhall config`: the files that services read.

mod archive;
mod draft;
mod edit;
mod export;
mod get;
mod gray;
mod import;
mod list;
mod listeners;
mod outcome;
mod progress;
mod promote;
mod schema;
mod seal;
mod selection;
mod set;
mod take;
mod watch;
mod zip;

use clap::{Args, Subcommand};
use guildhall_api::client::ConfigReader;
use guildhall_core::{
    config::ConfigName,
    document::{DocumentKey, Kind},
};

use super::{Exit, Failure, context::Context, history, rollback};

pub(super) use draft::drafted;

const EXAMPLES: &str = "\
Examples:
  guildhall config set users/prod/app.yaml -f app.yaml --comment 'smaller pool'
  guildhall config get users/prod/app.yaml                what readers get: shared files laid under it
  guildhall config get users/prod/app.yaml --origins      and where each value was written
  guildhall config edit users/prod/app.yaml
  guildhall config history users/prod/app.yaml --diff 3..5
  guildhall config rollback users/prod/app.yaml --to 3
  guildhall config promote users/staging --to prod --dry-run
  guildhall config gray start users/prod/app.yaml blue -f new.yaml --percentage 10
  guildhall config draft list                             what waits for the approval of others
  guildhall config listeners users/prod/app.yaml          who runs which version?
  guildhall config watch users/prod/app.yaml
  guildhall config export --to configs/                   all files, as a folder; --to FILE.zip
  guildhall config import nacos_config_export.zip --dry-run
  guildhall config schema users/prod/app.yaml _/_/app.schema.json  refuse what does not fit
  guildhall config seal users/prod/app.yaml /db/password  keep it encrypted, show it as ******

A file is named SERVICE/ENVIRONMENT/FILE; _ for the service or the environment means all of them share it. What a
reader of users/prod/app.yaml gets is _/_/app.yaml, users/_/app.yaml, _/prod/app.yaml and users/prod/app.yaml, each
laid over those before it.";

/// Read, release and watch the configuration of services
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Get(get::Get),
    Set(set::Set),
    Edit(edit::Edit),
    /// See who released what when, and why
    History {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        asked: history::Asked,
    },
    /// Show what changed between two versions; without them, what the last release changed
    Diff(DiffOf),
    /// Release an earlier version again
    Rollback {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        back: rollback::Back,
    },
    Promote(promote::Promote),
    Draft(draft::Drafts),
    Gray(gray::Gray),
    Listeners(listeners::Listeners),
    Schema(schema::Schema),
    Seal(seal::Seal),
    Watch(watch::Watch),
    Export(export::Export),
    Import(import::ImportFiles),
}

#[derive(Debug, Args)]
struct DiffOf {
    #[command(flatten)]
    file: File,
    /// FROM..TO; either may be a tag
    #[arg(value_name = "FROM..TO", default_value = "..")]
    versions: String,
}

/// Which file
#[derive(Debug, Args)]
pub(super) struct File {
    /// SERVICE/ENVIRONMENT/FILE
    #[arg(value_name = "FILE")]
    config: String,
}

impl File {
    fn key(&self, context: &Context) -> Result<DocumentKey, Failure> {
        key(&self.config, context)
    }
}

/// The file of this name.
fn key(name: &str, context: &Context) -> Result<DocumentKey, Failure> {
    ConfigName::parse(name).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{name:?} names no file of configuration"),
        )
        .why(error)
        .next("write SERVICE/ENVIRONMENT/FILE, such as users/prod/app.yaml; _ stands for all")
    })?;
    Ok(DocumentKey::new(
        Kind::Config,
        context.namespace.clone(),
        name,
    ))
}

/// For whom
#[derive(Debug, Args)]
pub(super) struct For {
    /// What this instance gets, gray releases included
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    /// The zone it runs in; that of its registration if absent
    #[arg(long, requires = "instance")]
    zone: Option<String>,
    /// A label of it, beside those of its registration; may stand more than once
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair, requires = "instance")]
    labels: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl For {
    fn reader(self) -> Option<ConfigReader> {
        Some(ConfigReader {
            instance: self.instance?,
            zone: self.zone,
            labels: self.labels.into_iter().collect(),
        })
    }
}

impl Config {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        match self.command {
            Command::List(list) => list.run(context).await,
            Command::Get(get) => get.run(context).await,
            Command::Set(set) => set.run(context).await,
            Command::Edit(edit) => edit.run(context).await,
            Command::History { file, asked } => {
                let key = file.key(&context)?;
                asked.run(context, key).await
            }
            Command::Diff(DiffOf { file, versions }) => {
                let key = file.key(&context)?;
                history::compare(&context, &key, &versions).await
            }
            Command::Rollback { file, back } => {
                let key = file.key(&context)?;
                back.run(context, key).await
            }
            Command::Promote(promote) => promote.run(context).await,
            Command::Draft(drafts) => drafts.run(context).await,
            Command::Gray(gray) => gray.run(context).await,
            Command::Listeners(listeners) => listeners.run(context).await,
            Command::Schema(schema) => schema.run(context).await,
            Command::Seal(seal) => seal.run(context).await,
            Command::Watch(watch) => watch.run(context).await,
            Command::Export(export) => export.run(context).await,
            Command::Import(import) => import.run(context).await,
        }
    }
}
