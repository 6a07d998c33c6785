//! `guildhall config gray`: a content that some readers get before the others.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Args, Subcommand};
use guildhall_api::client::Written;
use guildhall_core::{
    config::{GrayRelease, Judgement, gray::Match},
    document::{Document, DocumentKey},
};

use super::{File, drafted, pair, set};
use crate::cli::{Failure, context::Context, manifest::word, output};
use crate::table::{Table, plain};

const EXAMPLES: &str = "\
Examples:
  guildhall config gray start users/prod/app.yaml blue -f new.yaml --percentage 10
  guildhall config gray start users/prod/app.yaml blue --percentage 50      more of them; the content stays
  guildhall config gray start users/prod/app.yaml east -f pool.yaml --overlay --zone east --max-failed 2
  guildhall config gray list users/prod/app.yaml
  guildhall config gray promote users/prod/app.yaml blue
  guildhall config gray abort users/prod/app.yaml blue

An instance falls on the same side of a percentage as long as the release has its name. A release is taken back by itself
when a listener reports that it could not apply it, or its instance turns unhealthy after it got it.";

/// Release to some instances first, then to all or to none
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Gray {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Start(Box<Start>),
    /// Release to everyone what some have
    Promote(One),
    /// Take it back
    Abort(One),
    /// List the gray releases of a file
    List {
        #[command(flatten)]
        file: File,
    },
}

/// Begin a gray release, or change whom it is for
#[derive(Debug, Args)]
struct Start {
    #[command(flatten)]
    file: File,
    /// Its name
    name: String,
    /// Where the content stands, - for stdin; without it, that of the release of this name stays
    #[arg(short = 'f', long = "file", value_name = "PATH")]
    from: Option<PathBuf>,
    /// For this share of the instances that the rest selects: 0 to 100
    #[arg(long, value_name = "PERCENT")]
    percentage: Option<f64>,
    /// For this instance; may stand more than once
    #[arg(long = "instance", value_name = "ID")]
    instances: Vec<String>,
    /// For the instances of this zone; may stand more than once
    #[arg(long = "zone", value_name = "ZONE")]
    zones: Vec<String>,
    /// For the instances with this label; may stand more than once
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// Lay the content over the file's instead of putting it in its place
    #[arg(long)]
    overlay: bool,
    /// How many listeners may fail to apply it before it is taken back
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    max_failed: u32,
    /// How many instances may turn unhealthy with it before it is taken back
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    max_unhealthy: u32,
    /// Never take it back by itself
    #[arg(long, conflicts_with_all = ["max_failed", "max_unhealthy"])]
    manual: bool,
    #[command(flatten)]
    how: set::How,
}

/// Which one
#[derive(Debug, Args)]
struct One {
    #[command(flatten)]
    file: File,
    /// Its name
    name: String,
    #[command(flatten)]
    how: set::How,
}

impl Gray {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let client = &context.client;
        match self.command {
            Command::Start(start) => start.run(&context).await,
            Command::Promote(One { file, name, how }) => {
                let key = file.key(&context)?;
                let what = format!("{name} of {} was not promoted", word(&key));
                let written = client.promote_gray(&key, &name, &how.options()).await;
                let written = written.map_err(|error| Failure::call(what, &error))?;
                told(&key, &written, &format!("{name} is everyone's"))
            }
            Command::Abort(One { file, name, how }) => {
                let key = file.key(&context)?;
                let what = format!("{name} of {} was not taken back", word(&key));
                let written = client.abort_gray(&key, &name, &how.options()).await;
                let written = written.map_err(|error| Failure::call(what, &error))?;
                told(&key, &written, &format!("{name} is taken back"))
            }
            Command::List { file } => {
                let key = file.key(&context)?;
                let what = format!("{} cannot be read", word(&key));
                let document = client.get(&key).await;
                match document.map_err(|error| Failure::call(what, &error))? {
                    Document::Config(config) => list(&context, &config.spec.gray),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl Start {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let key = self.file.key(context)?;
        let content = self.from.as_deref().map(set::content_of).transpose()?;
        let (content, content_base64) = match content.map(String::from_utf8) {
            None => (None, None),
            Some(Ok(text)) => (Some(text), None),
            Some(Err(error)) => (None, Some(STANDARD.encode(error.as_bytes()))),
        };
        let release = GrayRelease {
            name: self.name.clone(),
            rule: Match {
                labels: self.labels.into_iter().collect(),
                instances: self.instances,
                zones: self.zones,
                percentage: self.percentage,
            },
            overlay: self.overlay,
            judgement: Judgement {
                automatic: !self.manual,
                max_failed: self.max_failed,
                max_unhealthy: self.max_unhealthy,
            },
            content,
            content_base64,
            ..GrayRelease::default()
        };
        let what = format!("{} of {} was not begun", self.name, word(&key));
        let written = context
            .client
            .start_gray(&key, &release, &self.how.options())
            .await;
        let written = written.map_err(|error| Failure::call(what, &error))?;
        told(&key, &written, &format!("{} has begun", self.name))
    }
}

fn told(key: &DocumentKey, written: &Written, what: &str) -> Result<(), Failure> {
    for warning in &written.warnings {
        output::warn(warning);
    }
    if let Some(drafted) = drafted(key, written) {
        return output::text(&format!("{} {drafted}\n", word(key)));
    }
    let version = written.document.metadata().version;
    let tried = if written.index.is_none() {
        " (dry run)"
    } else {
        ""
    };
    output::text(&format!("{} version {version}: {what}{tried}\n", word(key)))
}

fn list(context: &Context, releases: &[GrayRelease]) -> Result<(), Failure> {
    let names = || releases.iter().map(|gray| gray.name.clone()).collect();
    output::value(context.output, &releases, || table(releases), names)
}

fn table(releases: &[GrayRelease]) -> Table {
    let columns = ["name", "for", "content", "bytes", "taken back after"];
    let mut table = Table::new(&columns, "none: everyone gets the same");
    for gray in releases {
        let judgement = &gray.judgement;
        table.row([
            plain(&gray.name),
            plain(whom(&gray.rule)),
            plain(if gray.overlay {
                "laid over"
            } else {
                "in its place"
            }),
            plain(gray.size.unwrap_or_default()),
            plain(match judgement.automatic {
                true => format!(
                    "{} failed, {} unhealthy",
                    judgement.max_failed.saturating_add(1),
                    judgement.max_unhealthy.saturating_add(1)
                ),
                false => "by hand".to_owned(),
            }),
        ]);
    }
    table
}

fn whom(rule: &Match) -> String {
    let mut parts = Vec::new();
    parts.extend(rule.percentage.map(|share| format!("{share} %")));
    parts.extend(
        rule.labels
            .iter()
            .map(|(key, value)| format!("{key}={value}")),
    );
    if !rule.zones.is_empty() {
        parts.push(format!("zone {}", rule.zones.join("|")));
    }
    if !rule.instances.is_empty() {
        parts.push(format!("instance {}", rule.instances.join("|")));
    }
    parts.join(", ")
}
