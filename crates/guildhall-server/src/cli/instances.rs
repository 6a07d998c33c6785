//! `guildhall instances`: where a service is, and whether it is well.

use clap::Args;
use guildhall_core::{
    document::{Document, ServiceName, Timestamp},
    registry::{CheckState, InstanceStatus, Query},
};

use super::{Exit, Failure, context::Context, output, words};
use crate::{
    clock,
    table::{Table, Tone, plain, toned},
};

const EXAMPLES: &str = "\
Examples:
  guildhall instances user-service
  guildhall instances user-service --healthy -o json     those a client would be given
  guildhall instances user-service --zone a --tag canary --meta rack=7";

/// List a service's instances with their health
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Instances {
    /// The service
    service: String,
    /// Only those that take traffic: healthy or warning
    #[arg(long)]
    healthy: bool,
    /// Only those with this tag; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only those in this zone
    #[arg(long)]
    zone: Option<String>,
    /// Only those in this region
    #[arg(long)]
    region: Option<String>,
    /// Only those of this version
    #[arg(long = "of-version", value_name = "VERSION")]
    version: Option<String>,
    /// Only those with this metadata; may be given several times
    #[arg(long = "meta", value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// The nearest first: a zone, or region/zone
    #[arg(long)]
    near: Option<String>,
}

/// `KEY=VALUE`
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// A service as a person writes it.
pub(super) fn service(text: &str) -> Result<ServiceName, Failure> {
    ServiceName::new(text)
        .map_err(|error| Failure::new(Exit::Usage, format!("{text:?} is no service")).why(error))
}

impl Instances {
    /// What is asked for, read as the server reads a request's parameters.
    fn query(&self) -> Result<Query, Failure> {
        let healthy = self.healthy.to_string();
        let metadata: Vec<(String, &String)> = self
            .metadata
            .iter()
            .map(|(key, value)| (format!("metadata.{key}"), value))
            .collect();
        let mut pairs = vec![("healthy", healthy.as_str())];
        pairs.extend(self.tags.iter().map(|tag| ("tag", tag.as_str())));
        let single = [
            ("zone", &self.zone),
            ("region", &self.region),
            ("version", &self.version),
            ("near", &self.near),
        ];
        pairs.extend(
            single
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_deref()?))),
        );
        pairs.extend(
            metadata
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        );
        Query::parse(pairs, &[])
            .map_err(|error| Failure::new(Exit::Usage, "the filters cannot be used").why(error))
    }

    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let service = service(&self.service)?;
        let query = self.query()?;
        let found = context
            .client
            .discover(&context.namespace, &service, &query)
            .await
            .map_err(|error| {
                Failure::call(
                    format!("the instances of {service} cannot be listed"),
                    &error,
                )
            })?;
        if found.protected {
            output::warn("so few instances are healthy that all are given (protectionThreshold)");
        }
        let now = Timestamp::from_system(clock::wall());
        let table = || table(&found.instances, now);
        let names = || {
            found
                .instances
                .iter()
                .map(|instance| instance.metadata().name.clone())
                .collect()
        };
        output::value(context.output, &found, table, names)
    }
}

fn table(instances: &[Document], now: Timestamp) -> Table {
    let mut table = Table::new(
        &[
            "id", "health", "since", "address", "version", "zone", "tags", "why",
        ],
        "no instances; see guildhall services for what there is",
    );
    for document in instances {
        let Document::Instance(instance) = document else {
            continue;
        };
        let status = instance.status.clone().unwrap_or_default();
        let (word, tone) = words::health(status.health);
        let since = if status.since.as_millis() == 0 {
            String::new()
        } else {
            words::age(status.since, now)
        };
        let spec = &instance.spec;
        table.row([
            plain(&instance.metadata.name),
            toned(word, tone),
            plain(since),
            plain(words::address(spec)),
            plain(spec.version.as_ref().map_or("", |version| version.as_str())),
            plain(spec.zone.as_ref().map_or("", |zone| zone.as_str())),
            plain(
                spec.tags
                    .iter()
                    .map(|tag| tag.as_str())
                    .collect::<Vec<_>>()
                    .join(","),
            ),
            toned(
                why(&status),
                if tone == Tone::Good {
                    Tone::Plain
                } else {
                    tone
                },
            ),
        ]);
    }
    table
}

/// What holds an instance down: an operator, or the first check that does not pass.
fn why(status: &InstanceStatus) -> String {
    if let Some(maintenance) = &status.maintenance {
        return match maintenance.reason.as_str() {
            "" => format!("by {}", maintenance.by),
            reason => format!("{reason} (by {})", maintenance.by),
        };
    }
    let failing = status
        .checks
        .iter()
        .find(|check| check.state != CheckState::Passing);
    failing.map_or_else(String::new, |check| {
        let line = check.output.lines().next().unwrap_or_default();
        if line.is_empty() {
            check.name.clone()
        } else {
            format!("{}: {line}", check.name)
        }
    })
}
