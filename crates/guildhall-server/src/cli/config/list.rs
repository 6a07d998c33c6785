//! `guildhall config list`: which files there are.

use clap::Args;
use guildhall_api::client::ListQuery;
use guildhall_core::{
    config::{ConfigName, Format},
    document::{Document, Kind, Timestamp},
};

use crate::cli::{Failure, context::Context, output, words};
use crate::{
    clock,
    table::{Table, plain},
};

/// List the files
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those of this service; _ for what all share
    service: Option<String>,
    /// Only those of this environment; _ for what all share
    #[arg(long)]
    env: Option<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

impl List {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let namespace = (!self.all_namespaces).then_some(&context.namespace);
        let listed = context
            .client
            .list(Kind::Config, namespace, &ListQuery::default())
            .await
            .map_err(|error| Failure::call("the files cannot be listed", &error))?;
        for why in &listed.skipped {
            output::warn(why);
        }
        let is_wanted = |document: &&Document| {
            let metadata = document.metadata();
            let Ok(name) = ConfigName::parse(&metadata.name) else {
                return false;
            };
            let is = |asked: &Option<String>, part: &str| {
                asked.as_deref().is_none_or(|asked| asked == part)
            };
            is(&self.service, name.service) && is(&self.env, name.environment)
        };
        let found: Vec<&Document> = listed.documents.iter().filter(is_wanted).collect();
        let names = || {
            let names = found
                .iter()
                .map(|document| document.metadata().name.clone());
            names.collect()
        };
        output::value(
            context.output,
            &found,
            || table(&found, self.all_namespaces),
            names,
        )
    }
}

fn table(found: &[&Document], with_namespace: bool) -> Table {
    let columns = ["file", "version", "format", "bytes", "by", "age"];
    let mut table = Table::new(&columns, "no files");
    let now = Timestamp::from_system(clock::wall());
    for document in found {
        let Document::Config(config) = document else {
            continue;
        };
        let (metadata, spec) = (&config.metadata, &config.spec);
        let name = match with_namespace {
            true => format!("{}: {}", metadata.namespace, metadata.name),
            false => metadata.name.clone(),
        };
        table.row([
            plain(name),
            plain(metadata.version),
            plain(spec.format.map_or("", Format::name)),
            plain(spec.size.unwrap_or_default()),
            plain(metadata.updated_by.as_deref().unwrap_or_default()),
            plain(
                metadata
                    .updated_at
                    .map_or_else(String::new, |at| words::age(at, now)),
            ),
        ]);
    }
    table
}
