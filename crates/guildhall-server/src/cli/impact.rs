//! `guildhall impact`: who is hurt when a service is gone.

use clap::Args;
use guildhall_core::{document::ServiceName, registry::graph::Affected};

use super::{Failure, context::Context, instances::service, output};
use crate::table::{Table, Tone, plain, toned};

const EXAMPLES: &str = "\
Examples:
  guildhall impact user-service
  guildhall impact user-service -o json";

/// Show who is hurt when a service is gone
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Impact {
    /// The service
    service: String,
}

impl Impact {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let service = service(&self.service)?;
        let impact = context
            .client
            .impact(&context.namespace, &service)
            .await
            .map_err(|error| {
                Failure::call(format!("the impact of {service} cannot be told"), &error)
            })?;
        let table = || {
            let mut table = Table::new(&["service", "then", "because"], "nobody depends on it");
            let mut rows = |affected: &[Affected], word: &str, tone| {
                for one in affected {
                    let path: Vec<&str> = one.path.iter().map(ServiceName::as_str).collect();
                    table.row([
                        plain(&one.service),
                        toned(word, tone),
                        plain(path.join(" → ")),
                    ]);
                }
            };
            rows(&impact.breaks, "breaks", Tone::Bad);
            rows(&impact.degrades, "degrades", Tone::Doubtful);
            table
        };
        let names = || {
            impact
                .breaks
                .iter()
                .chain(&impact.degrades)
                .map(|one| one.service.to_string())
                .collect()
        };
        output::value(context.output, &impact, table, names)
    }
}
