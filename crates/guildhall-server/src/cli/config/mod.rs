//! `guildhall config`: the files that services read.

mod edit;
mod get;
mod list;
mod set;
mod watch;

use clap::{Args, Subcommand};
use guildhall_core::{
    config::ConfigName,
    document::{DocumentKey, Kind},
};

use super::{Exit, Failure, context::Context, history, rollback};

const EXAMPLES: &str = "\
Examples:
  guildhall config set users/prod/app.yaml -f app.yaml --comment 'smaller pool'
  guildhall config get users/prod/app.yaml                what readers get: shared files laid under it
  guildhall config get users/prod/app.yaml --origins      and where each value was written
  guildhall config edit users/prod/app.yaml
  guildhall config history users/prod/app.yaml --diff 3..5
  guildhall config rollback users/prod/app.yaml --to 3
  guildhall config watch users/prod/app.yaml

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
    Watch(watch::Watch),
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
    name: String,
}

impl File {
    fn key(&self, context: &Context) -> Result<DocumentKey, Failure> {
        let name = &self.name;
        ConfigName::parse(name).map_err(|error| {
            Failure::new(
                Exit::Usage,
                format!("{name:?} names no file of configuration"),
            )
            .why(error)
            .next("write SERVICE/ENVIRONMENT/FILE, such as users/prod/app.yaml; _ stands for all")
        })?;
        let namespace = context.namespace.clone();
        Ok(DocumentKey::new(Kind::Config, namespace, name.as_str()))
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
            Command::Watch(watch) => watch.run(context).await,
        }
    }
}
