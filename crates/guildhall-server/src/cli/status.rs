//! `guildhall status`: how the platform is.

use clap::Args;
use guildhall_core::document::Timestamp;

use super::{Failure, context::Context, output, words};
use crate::{
    clock,
    table::{Table, Tone, plain, toned},
};

const EXAMPLES: &str = "\
Examples:
  guildhall status
  guildhall status -o json
  guildhall status --server http://10.0.0.7:7420";

/// Show how the platform is
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Status {}

impl Status {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let status: guildhall_api::wire::Status = context
            .client
            .status()
            .await
            .map_err(|error| Failure::call("the status cannot be read", &error))?;
        let table = || {
            let mut table = Table::new(&["what", "is"], "");
            let ready = if status.ready {
                toned("ready", Tone::Good)
            } else {
                toned("not ready", Tone::Bad)
            };
            table.row([plain(context.client.server()), ready]);
            table.row([plain("version"), plain(&status.version)]);
            let now = Timestamp::from_system(clock::wall());
            table.row([plain("up"), plain(words::age(status.started_at, now))]);
            for role in &status.roles {
                let at = role.addresses.join(", ");
                let (word, tone) = if role.healthy {
                    ("healthy", Tone::Good)
                } else {
                    ("unhealthy", Tone::Bad)
                };
                let detail = if role.detail.is_empty() {
                    String::new()
                } else {
                    format!(": {}", role.detail)
                };
                table.row([
                    plain(format!("role {}", role.name)),
                    toned(format!("{word} at {at}{detail}"), tone),
                ]);
            }
            if let Some(index) = status.index {
                table.row([plain("index"), plain(index)]);
            }
            if let Some(store) = &status.store {
                let (text, tone) = match &store.read_only {
                    None => (store.engine.clone(), Tone::Plain),
                    Some(why) => (format!("{}, read-only: {why}", store.engine), Tone::Bad),
                };
                table.row([plain("store"), toned(text, tone)]);
            }
            if let Some(registry) = &status.registry {
                let (used, tone) = words::counts(&registry.instances);
                table.row([plain("services"), plain(registry.services)]);
                table.row([plain("instances in use"), toned(used, tone)]);
            }
            if let Some(fleet) = status.fleet.as_ref().filter(|fleet| fleet.breakers > 0) {
                let states: Vec<String> = fleet
                    .states
                    .iter()
                    .map(|(state, count)| format!("{count} {state}"))
                    .collect();
                let closed = fleet.states.get("CLOSED") == Some(&fleet.breakers);
                let tone = if closed { Tone::Good } else { Tone::Doubtful };
                table.row([plain("breakers"), toned(states.join(", "), tone)]);
            }
            if let Some(bytes) = status.resident_bytes {
                table.row([plain("memory"), plain(format!("{} MiB", bytes >> 20))]);
            }
            table
        };
        output::value(context.output, &status, table, || {
            status.roles.iter().map(|role| role.name.clone()).collect()
        })
    }
}
