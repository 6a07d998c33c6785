//! `guildhall services`: the registry at a glance.

use clap::Args;

use super::{Failure, context::Context, output, words};
use crate::table::{Table, Tone, plain, toned};

const EXAMPLES: &str = "\
Examples:
  guildhall services
  guildhall services -A -o json
  guildhall services -o name | xargs -n1 guildhall instances";

/// List services with their instances by health
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Services {
    /// Of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

impl Services {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let namespace = (!self.all_namespaces).then_some(&context.namespace);
        let statistics = context
            .client
            .stats(namespace)
            .await
            .map_err(|error| Failure::call("the services cannot be listed", &error))?;
        let services = &statistics.breakdown;
        let table = || {
            let mut table = Table::new(
                &[
                    "namespace",
                    "service",
                    "in use",
                    "starting",
                    "unhealthy",
                    "held out",
                    "versions",
                ],
                "no services; register an instance (guildhall register), or apply a Service",
            );
            for service in services {
                let counts = &service.instances;
                let (used, tone) = words::counts(counts);
                let some = |count: usize, tone: Tone| {
                    toned(count, if count == 0 { Tone::Plain } else { tone })
                };
                table.row([
                    plain(&service.namespace),
                    plain(&service.service),
                    toned(used, tone),
                    some(counts.starting, Tone::Doubtful),
                    some(counts.unhealthy, Tone::Bad),
                    some(counts.draining + counts.maintenance, Tone::Doubtful),
                    plain(service.versions),
                ]);
            }
            table
        };
        let names = || {
            services
                .iter()
                .map(|service| service.service.to_string())
                .collect()
        };
        output::value(context.output, &services, table, names)
    }
}
