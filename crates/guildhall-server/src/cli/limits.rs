//! `guildhall limits`: what is limited where, what passed and what was refused, and who has how much of a shared limit.

use clap::Args;
use guildhall_api::client::FleetQuery;
use guildhall_core::policy::{
    guard::Share,
    report::{Limit, LimitKind, LimitRow},
};

use super::{Failure, context::Context, output};
use crate::table::{Table, Tone, plain, toned};

const EXAMPLES: &str = "\
Examples:
  guildhall limits                            of everyone who reports
  guildhall limits --caller order-service     what does it limit?
  guildhall limits -o json";

/// Show the limits of gateways and services, and what each has of a shared one
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Limits {
    /// Only for calls to this service; rate limits are those on it
    #[arg(long)]
    service: Option<String>,
    /// Only those of this caller: a service, or a gateway
    #[arg(long)]
    caller: Option<String>,
    /// Of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

impl Limits {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let namespace = (!self.all_namespaces).then_some(&context.namespace);
        let query = FleetQuery {
            caller: self.caller,
            service: self.service,
            state: None,
        };
        let list = context
            .client
            .limits(namespace, &query)
            .await
            .map_err(|error| Failure::call("the limits cannot be read", &error))?;
        let names = || list.items.iter().map(name).collect();
        output::value(context.output, &list.items, || table(&list.items), names)
    }
}

fn name(row: &LimitRow) -> String {
    format!("{} -> {}", row.caller, of(&row.limit))
}

/// What it is for.
fn of(limit: &Limit) -> String {
    match (&limit.target, &limit.under) {
        (Some(target), _) => target.to_string(),
        (None, Some(under)) => under.to_string(),
        (None, None) => "-".to_owned(),
    }
}

fn table(rows: &[LimitRow]) -> Table {
    let mut table = Table::new(
        &[
            "caller", "limit", "for", "used", "passed", "refused", "share", "demand", "policy",
        ],
        "no limits are reported; gateways and services report those that policies give them",
    );
    for LimitRow { caller, limit, .. } in rows {
        let tone = match limit.rejected > 0 && !limit.dry_run {
            true => Tone::Doubtful,
            false => Tone::Plain,
        };
        let number =
            |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
        let used = match (limit.used, limit.limit) {
            (Some(used), Some(most)) => format!("{used} of {most}"),
            (used, _) => number(used),
        };
        let demand = limit.share.as_ref().and_then(|share| share.demand);
        let policy = limit.policy.as_ref().map_or_else(
            || "default".to_owned(),
            |policy| format!("{} ({})", policy.name, policy.revision),
        );
        table.row([
            plain(caller),
            plain(kind(limit)),
            plain(of(limit)),
            plain(used),
            plain(number(limit.passed)),
            toned(limit.rejected, tone),
            plain(limit.share.as_ref().map_or("-".to_owned(), part)),
            plain(demand.map_or("-".to_owned(), |demand| demand.to_string())),
            plain(policy),
        ]);
    }
    table
}

fn kind(limit: &Limit) -> String {
    let kind = match limit.kind {
        LimitKind::RateLimit => "rate limit",
        LimitKind::Bulkhead => "bulkhead",
        LimitKind::Adaptive => "adaptive limit",
        LimitKind::Deadline => "deadline",
    };
    let tried = if limit.dry_run { " (dry run)" } else { "" };
    match limit.name.as_str() {
        "" => format!("{kind}{tried}"),
        name => format!("{kind} {name}{tried}"),
    }
}

/// The part that it holds to.
fn part(share: &Share) -> String {
    let passes = share.passes();
    match share.part {
        Some(_) => passes.to_string(),
        None => format!("{passes}, not told yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_its_caller_has_of_a_shared_limit() {
        let row = |share: serde_json::Value| -> LimitRow {
            let json = serde_json::json!({
                "caller": {"kind": "gateway", "name": "edge", "instance": "h:80"},
                "kind": "rate-limit",
                "name": "all",
                "under": {"kind": "Service", "namespace": "shop", "name": "users"},
                "passed": 7,
                "rejected": 2,
                "share": share,
                "policy": {"namespace": "shop", "name": "calm", "revision": 3},
                "updatedAt": "2026-01-01T00:00:00Z",
            });
            serde_json::from_value(json).unwrap()
        };
        let policy = serde_json::json!({"namespace": "shop", "name": "calm"});
        let rows = [
            row(serde_json::json!({"policy": policy, "part": 0.625, "demand": 1.5})),
            row(serde_json::json!({"policy": policy})),
        ];
        let shown = table(&rows).render(false);
        let lines: Vec<String> = shown
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(
            lines,
            [
                "edge/h:80 rate limit all Service shop/users - 7 2 62.5% 150% calm (3)",
                "edge/h:80 rate limit all Service shop/users - 7 2 10%, not told yet - calm (3)",
            ]
        );
    }
}
