//! `guildhall config import`: files of an export become files here.

use std::{collections::BTreeMap, path::PathBuf};

use clap::{Args, ValueEnum};
use guildhall_core::config::import::{ENVIRONMENTS, Import, ImportError, Naming, Options, Source};

use super::{archive, outcome::Report, selection::Selection, take};
use crate::cli::{Exit, Failure, context::Context, output};

const EXAMPLES: &str = "\
Examples:
  guildhall config import configs/ --dry-run --diff       what `config export` wrote; or files laid out like it
  guildhall config import nacos_config_export.zip --dry-run
  guildhall config import apollo.zip --environment pro=prod --comment 'moved from Apollo'
  consul kv export config/ > kv.json && guildhall config import kv.json
  consul kv export app/ > kv.json && guildhall config import kv.json --from consul --naming plain --prefix app

Where files of other systems go:
  nacos    GROUP/users-prod.yaml                    users/prod/application.yaml; --naming plain: GROUP/_/users-prod.yaml
  apollo   users/PRO/users+default+db.yaml          users/pro/db.yaml; public namespaces are of all: _/pro/…
  consul   config/users,prod/data                   users/prod/application.yaml; --naming plain: by the key's parts
`application` is all services: _/…/application.yaml. Two entries that come to one name are refused.

Each file is written by itself, in the order in which files are laid over each other: one that is refused does not stop
the others, and the exit code says that there was one. Masked values (******) keep the value that is there.";

/// Take over files from a folder, an archive, or the export of another system
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ImportFiles {
    /// A folder, a zip archive or a JSON file
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Where it comes from: guildhall, nacos, apollo or consul; guessed where there is only one answer
    #[arg(long, value_name = "SYSTEM", value_parser = str::parse::<Source>)]
    from: Option<Source>,
    /// Only what comes to SERVICE, SERVICE/ENVIRONMENT or SERVICE/ENVIRONMENT/FILE, as it is named here; may stand more
    /// than once
    #[arg(long, value_name = "SELECTION")]
    only: Vec<String>,
    /// Check on the server, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Show what changes
    #[arg(long)]
    diff: bool,
    /// Why; kept in the files' history. Where each came from, if absent
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    names: Names,
}

/// How names of the source become names here
#[derive(Debug, Args)]
#[command(next_help_heading = "Names")]
struct Names {
    /// A service of the source is this one here, _ for all; may stand more than once
    #[arg(long = "service", value_name = "FROM=TO", value_parser = super::pair)]
    services: Vec<(String, String)>,
    /// An environment of the source is this one here, _ for all; may stand more than once
    #[arg(long = "environment", value_name = "FROM=TO", value_parser = super::pair)]
    environments: Vec<(String, String)>,
    /// How names of Nacos and Consul are read
    #[arg(long, value_enum, default_value_t)]
    naming: NamingWord,
    /// Words that are environments at the end of a name or as a group, instead of the usual ones
    #[arg(long, value_name = "WORD,…", value_delimiter = ',', default_values_t = ENVIRONMENTS.map(str::to_owned),
        hide_default_value = true)]
    known_environments: Vec<String>,
    /// Consul's keys below this one [default: config, or all with --naming plain]
    #[arg(long, value_name = "KEY")]
    prefix: Option<String>,
}

/// By which convention names are read.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum NamingWord {
    /// As Spring Cloud's clients do: users-prod.yaml is users/prod/application.yaml
    #[default]
    Spring,
    /// As they stand
    Plain,
}

impl Names {
    fn options(&self) -> Options {
        let map = |pairs: &[(String, String)]| pairs.iter().cloned().collect::<BTreeMap<_, _>>();
        Options {
            naming: match self.naming {
                NamingWord::Spring => Naming::Spring,
                NamingWord::Plain => Naming::Plain,
            },
            environments: self.known_environments.clone(),
            prefix: self.prefix.clone(),
            service_names: map(&self.services),
            environment_names: map(&self.environments),
        }
    }
}

impl ImportFiles {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let selection = Selection::parse(&self.only)?;
        let (source, import) = self.read(&selection)?;
        let how = take::How {
            source,
            dry_run: self.dry_run,
            diff: self.diff,
            comment: self.comment,
        };
        let mut report = Report::new(self.dry_run, import.skipped);
        let ended = take::all(&context, &import.files, &how, &mut report).await;
        // What was done is told, whatever ended it.
        report.print(&context)?;
        ended?;
        report.result()
    }

    /// What the export comes to.
    fn read(&self, selection: &Selection) -> Result<(Source, Import), Failure> {
        let shown = self.path.display();
        let refused = |why: &dyn std::fmt::Display| {
            Failure::new(Exit::Invalid, format!("{shown} is not imported")).why(why)
        };
        let entries = archive::read(&self.path, &archive::LIMITS)?;
        let source = match self.from {
            Some(source) => source,
            None => {
                let guessed = Source::guess(&entries).map_err(|error| {
                    refused(&error).next("say so: --from guildhall, nacos, apollo or consul")
                })?;
                let (source, sign) = guessed;
                output::note(&format!(
                    "{shown} is taken for an export of {source}: {sign}"
                ));
                source
            }
        };
        let mut import = source
            .read(&entries, &self.names.options())
            .map_err(|error| {
                let failure = refused(&error);
                match error {
                    ImportError::Entry { .. } if self.from.is_none() => {
                        failure.next("if it comes from elsewhere, say so: --from")
                    }
                    _ => failure,
                }
            })?;
        import.files.retain(|file| selection.has(&file.name));
        let found = selection.all_found(import.files.iter().map(|file| file.name.as_str()));
        found.map_err(|failure| {
            failure.next("--only goes by names as they are here; see all of them with --dry-run")
        })?;
        if import.files.is_empty() && import.skipped.is_empty() {
            return Err(refused(&"there is no file in it"));
        }
        Ok((source, import))
    }
}
