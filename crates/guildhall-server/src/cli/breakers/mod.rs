//! `guildhall breakers`: who can call whom, and why not.

mod orders;

use std::{collections::BTreeMap, io::IsTerminal, time::Duration};

use clap::Args;
use guildhall_api::{
    client::{Changed, FleetQuery},
    wire::BreakerList,
};
use guildhall_core::{
    document::{Namespace, Timestamp},
    policy::report::{BreakerRow, Key, ReportedBy, State, parse_state},
};

use super::{
    Failure,
    context::Context,
    output::{self, Format},
    words,
};
use crate::{
    clock,
    table::{Table, Tone, plain, toned},
};

const EXAMPLES: &str = "\
Examples:
  guildhall breakers                          of everyone who reports
  guildhall breakers --watch                  as they change
  guildhall breakers --service user-service   who calls it?
  guildhall breakers --state OPEN -o json
  guildhall breakers force user-service --for 5m --reason \"the database is being moved\"
  guildhall breakers release user-service";

/// How long the server is asked to wait for a change.
const WAIT: Duration = Duration::from_secs(10);

/// Show the circuit breakers of gateways and services, or give them orders
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Breakers {
    #[command(subcommand)]
    order: Option<orders::Order>,
    /// Show them as they change
    #[arg(short, long)]
    watch: bool,
    /// Only for calls to this service
    #[arg(long)]
    service: Option<String>,
    /// Only those of this caller: a service, or a gateway
    #[arg(long)]
    caller: Option<String>,
    /// Only those in this state, such as OPEN
    #[arg(long, value_parser = state)]
    state: Option<State>,
    /// Of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

fn state(text: &str) -> Result<State, String> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    parse_state(&name).ok_or_else(|| format!("one of {}", State::ALL.map(State::name).join(", ")))
}

impl Breakers {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        if let Some(order) = self.order {
            return order.run(&context).await;
        }
        let namespace = (!self.all_namespaces).then_some(&context.namespace);
        let query = FleetQuery {
            caller: self.caller.clone(),
            service: self.service.clone(),
            state: self.state,
        };
        let list = context
            .client
            .breakers(namespace, &query)
            .await
            .map_err(|error| Failure::call("the breakers cannot be read", &error))?;
        if self.watch {
            return watch(&context, namespace, &query, list).await;
        }
        let names = || list.items.iter().map(name).collect();
        output::value(context.output, &list.items, || table(&list.items), names)
    }
}

fn name(row: &BreakerRow) -> String {
    format!("{} -> {}", row.caller, row.breaker.target)
}

async fn watch(
    context: &Context,
    namespace: Option<&Namespace>,
    query: &FleetQuery,
    mut list: BreakerList,
) -> Result<(), Failure> {
    let mut view = View::new(context.output);
    loop {
        if !output::line(&view.show(&list.items))? {
            return Ok(());
        }
        let changed = Changed {
            since: list.index,
            wait: WAIT,
        };
        let asked = context
            .client
            .breakers_changed(namespace, query, changed)
            .await;
        list = match asked {
            Ok(list) => list,
            Err(error) if error.is_retryable() => {
                output::warn(&format!("{error}; trying again"));
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
            Err(error) => return Err(Failure::call("the breakers cannot be read", &error)),
        };
    }
}

/// What a watch shows with each answer.
enum View {
    /// The table anew, on a terminal.
    Screen,
    /// The table once, then a line for each change of state.
    Lines(Option<BTreeMap<(ReportedBy, Key), State>>),
    /// A JSON object for each row that is new or different, and for each that is gone.
    Json(BTreeMap<(ReportedBy, Key), BreakerRow>),
}

impl View {
    fn new(format: Format) -> Self {
        match format {
            Format::Table if std::io::stdout().is_terminal() => Self::Screen,
            Format::Table => Self::Lines(None),
            _ => Self::Json(BTreeMap::new()),
        }
    }

    fn show(&mut self, rows: &[BreakerRow]) -> String {
        let key = |row: &BreakerRow| (row.caller.clone(), row.breaker.key());
        match self {
            Self::Screen => {
                // Home, the rest of the screen cleared: what stays does not flicker.
                format!("\u{1b}[H\u{1b}[J{}", table(rows).render(output::colours()))
            }
            Self::Lines(before) => {
                let states = rows.iter().map(|row| (key(row), row.breaker.state));
                let before = before.replace(states.collect());
                let Some(before) = before else {
                    return table(rows).render(false);
                };
                let changed = rows
                    .iter()
                    .filter(|row| before.get(&key(row)) != Some(&row.breaker.state));
                changed.map(line).collect()
            }
            Self::Json(before) => {
                let mut lines = String::new();
                let mut say = |event: &str, row: &BreakerRow| {
                    let object = serde_json::json!({"event": event, "breaker": row});
                    lines.push_str(&format!("{object}\n"));
                };
                let mut known = std::mem::take(before);
                for row in rows {
                    match known.remove(&key(row)) {
                        None => say("added", row),
                        Some(known) if known != *row => say("modified", row),
                        Some(_) => {}
                    }
                    before.insert(key(row), row.clone());
                }
                known.values().for_each(|row| say("deleted", row));
                lines
            }
        }
    }
}

fn line(row: &BreakerRow) -> String {
    let breaker = &row.breaker;
    let state = breaker.state;
    match &breaker.last_transition {
        Some(_) => format!(
            "{}  {}  {state}: {}\n",
            breaker.since,
            name(row),
            breaker.why()
        ),
        None => format!("{}  {}  {state}\n", breaker.since, name(row)),
    }
}

fn table(rows: &[BreakerRow]) -> Table {
    let now = Timestamp::from_system(clock::wall());
    let mut table = Table::new(
        &[
            "caller", "calls", "state", "failures", "refused", "since", "why", "policy",
        ],
        "no breakers are reported; gateways and services report those that guard calls they make",
    );
    for row in rows {
        let breaker = &row.breaker;
        let (state, tone) = state_of(row, now);
        let failures = match breaker.failure_rate() {
            Some(rate) => format!("{:.0}% of {}", rate * 100.0, breaker.window.total),
            None => "-".to_owned(),
        };
        let policy = breaker.policy.as_ref().map_or_else(
            || "default".to_owned(),
            |policy| format!("{} ({})", policy.name, policy.revision),
        );
        table.row([
            plain(&row.caller),
            plain(&breaker.target),
            toned(state, tone),
            plain(failures),
            plain(breaker.statistics.rejected),
            plain(words::age(breaker.since, now)),
            plain(breaker.why()),
            plain(policy),
        ]);
    }
    table
}

/// The state in words, with how long it lasts.
fn state_of(row: &BreakerRow, now: Timestamp) -> (String, Tone) {
    let breaker = &row.breaker;
    if breaker.dry_run {
        return (format!("would be {}", breaker.state), Tone::Plain);
    }
    let tone = match breaker.state {
        State::Closed => Tone::Good,
        State::Open | State::ForcedOpen => Tone::Bad,
        State::HalfOpen | State::Disabled | State::MetricsOnly => Tone::Doubtful,
    };
    let left = breaker.until.filter(|until| *until > now);
    match left {
        Some(until) => (
            format!("{}, {} left", breaker.state, words::age(now, until)),
            tone,
        ),
        None => (breaker.state.to_string(), tone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(service: &str, state: &str, total: u64) -> BreakerRow {
        let json = serde_json::json!({
            "caller": {"kind": "service", "namespace": "shop", "name": "orders", "instance": "o1"},
            "target": {"namespace": "shop", "service": service},
            "state": state,
            "lastTransition": {"from": "CLOSED", "to": state, "reason": "9 of 20 calls failed", "at": "2026-01-01T00:00:00Z"},
            "since": "2026-01-01T00:00:00Z",
            "statistics": {"total": total, "successful": 11, "failed": 9, "rejected": 4, "slow": 0},
            "window": {"total": 20, "failed": 9, "slow": 0},
            "policy": {"namespace": "shop", "name": "calm", "revision": 7},
            "updatedAt": "2026-01-01T00:00:01Z",
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_table_says_who_may_not_call_whom_and_why() {
        let text = table(&[row("users", "OPEN", 24)]).render(false);
        let columns: Vec<&str> = text.lines().nth(1).unwrap().split("  ").collect();
        let columns: Vec<&str> = columns
            .iter()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
            .collect();
        assert_eq!(
            columns[..5],
            ["shop/orders/o1", "shop/users", "OPEN", "45% of 20", "4"],
            "{text}"
        );
        assert_eq!(columns[6..], ["9 of 20 calls failed", "calm (7)"], "{text}");
    }

    #[test]
    fn a_watch_into_a_pipe_prints_changes_of_state_only() {
        let mut view = View::Lines(None);
        assert!(
            view.show(&[row("users", "CLOSED", 1)])
                .starts_with("CALLER")
        );
        assert_eq!(view.show(&[row("users", "CLOSED", 2)]), "");
        let line = view.show(&[row("users", "OPEN", 3)]);
        assert_eq!(
            line,
            "2026-01-01T00:00:00.000Z  shop/orders/o1 -> shop/users  OPEN: 9 of 20 calls failed\n"
        );
    }

    #[test]
    fn a_watch_as_json_tells_what_is_new_different_or_gone() {
        let mut view = View::Json(BTreeMap::new());
        let events = |text: String| -> Vec<String> {
            let event = |line: &str| {
                serde_json::from_str::<serde_json::Value>(line).unwrap()["event"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            text.lines().map(event).collect()
        };
        assert_eq!(
            events(view.show(&[row("users", "OPEN", 1), row("stock", "OPEN", 1)])),
            ["added", "added"]
        );
        assert_eq!(
            events(view.show(&[row("users", "OPEN", 2), row("stock", "OPEN", 1)])),
            ["modified"]
        );
        assert_eq!(events(view.show(&[row("users", "OPEN", 2)])), ["deleted"]);
    }

    #[test]
    fn states_may_be_written_in_lower_case() {
        assert_eq!(state("half-open"), Ok(State::HalfOpen));
        assert!(state("ajar").unwrap_err().contains("FORCED_OPEN"));
    }
}
