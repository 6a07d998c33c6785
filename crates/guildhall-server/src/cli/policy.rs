//! `guildhall policy effective`: what policies come to, and whose word each field is.

use clap::{Args, Subcommand};
use guildhall_api::{
    client::WayQuery,
    wire::{EffectivePolicy, FieldOrigin, MergedPolicy, PolicySource},
};
use serde_json::Value;

use super::{Failure, context::Context, output};
use crate::table::{Table, Tone, plain, toned};

const EXAMPLES: &str = "\
Examples:
  guildhall policy effective --service user-service
  guildhall policy effective --service user-service --route shop --rule checkout --gateway edge
  guildhall policy effective --service user-service -o yaml

Policies are documents: guildhall get policies, guildhall apply -f policy.yaml";

/// See what policies come to
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Policy {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Effective(Effective),
}

/// Show what holds for some requests, field by field, and which policy says so
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Effective {
    /// The service that is asked
    #[arg(long, required_unless_present_any = ["route", "gateway"])]
    service: Option<String>,
    /// The HTTPRoute that matches
    #[arg(long)]
    route: Option<String>,
    /// The named rule of the route
    #[arg(long, requires = "route")]
    rule: Option<String>,
    /// The Gateway that takes the requests
    #[arg(long)]
    gateway: Option<String>,
    /// The listener of the Gateway
    #[arg(long, requires = "gateway")]
    listener: Option<String>,
}

impl Policy {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        match self.command {
            Command::Effective(effective) => effective.run(context).await,
        }
    }
}

impl Effective {
    async fn run(self, context: Context) -> Result<(), Failure> {
        let way = WayQuery {
            service: self.service,
            route: self.route,
            rule: self.rule,
            gateway: self.gateway,
            listener: self.listener,
        };
        let found = context
            .client
            .effective_policy(&context.namespace, &way)
            .await
            .map_err(|error| Failure::call("what policies come to cannot be told", &error))?;
        for problem in &found.problems {
            output::warn(&format!(
                "{}: {}: only the most specific policy's fields hold",
                problem.pointer, problem.detail
            ));
        }
        let names = || found.enforced.origins.keys().cloned().collect();
        output::value(context.output, &found, || table(&found), names)
    }
}

fn table(found: &EffectivePolicy) -> Table {
    let mut table = Table::new(
        &["field", "value", "policy", "target", "over"],
        "no policy says anything; gateway and SDK go by their own settings",
    );
    rows(&mut table, &found.enforced, None);
    if let Some(tried) = &found.dry_run {
        rows(&mut table, tried, Some(&found.enforced));
    }
    table
}

/// One row for each field; of what is tried only what would be another's word.
fn rows(table: &mut Table, merged: &MergedPolicy, enforced: Option<&MergedPolicy>) {
    for (field, origin) in &merged.origins {
        let same = enforced.and_then(|enforced| enforced.origins.get(field));
        if same.is_some_and(|same| same.source == origin.source) {
            continue;
        }
        let Some(value) = value(merged, field) else {
            continue;
        };
        let name = match enforced {
            Some(_) => toned(format!("{field} (tried)"), Tone::Doubtful),
            None => plain(field),
        };
        let conflict = merged
            .conflicts
            .iter()
            .any(|conflict| conflict.field == *field);
        let tone = match conflict {
            true => Tone::Doubtful,
            false => Tone::Plain,
        };
        table.row([
            name,
            plain(value),
            plain(named(&origin.source)),
            plain(&origin.source.target),
            toned(over(origin), tone),
        ]);
    }
}

/// The value of a field; of a section that says nothing more than that it is there, so much.
fn value(merged: &MergedPolicy, field: &str) -> Option<String> {
    match field.split_once('.') {
        Some((section, field)) => Some(merged.sections.get(section)?.get(field)?.to_string()),
        None => match merged.sections.get(field)? {
            Value::Object(fields) if fields.is_empty() => Some("{}".to_owned()),
            _ => None,
        },
    }
}

fn named(source: &PolicySource) -> String {
    format!("{}@{}", source.policy, source.revision)
}

fn over(origin: &FieldOrigin) -> String {
    let over: Vec<String> = origin.over.iter().map(named).collect();
    over.join(", ")
}
