//! Reports as they are sent. A newer reporter's unknown fields are left out; sizes are checked by [`Report::validate`].

use std::fmt;

use guildhall_resilience::breaker;
use serde::{Deserialize, Serialize};

use crate::{
    document::{InstanceId, Namespace, Problems, ServiceName, Timestamp},
    policy::{
        Source, Target,
        guard::{Share, SharedLimit},
    },
    route::table::{ClusterKey, Subset},
};

/// The most breakers and limits that one report holds; those with the least to tell are left out and counted.
pub const MAX_ENTRIES: usize = 512;
/// The most transitions that one report holds; the oldest are left out and counted.
pub const MAX_EVENTS: usize = 256;
/// The longest text in a report that is no name: a reason, a subset, a rule.
const MAX_TEXT: usize = 1024;

/// What a gateway or a service tells of its breakers and limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Who reports.
    pub reporter: ReportedBy,
    /// Drawn anew at each start, so that a sequence that begins again is not taken for an old one.
    pub run: u32,
    /// Grows by one with each report of a run; the first is 1.
    pub sequence: u64,
    /// Whether this is all there is. Otherwise it is what changed since the report before.
    pub full: bool,
    /// The breakers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub breakers: Vec<Breaker>,
    /// The limits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Transitions of breakers since the report before, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Breakers and limits that found no room.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: u64,
    /// Transitions that found no room.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events_omitted: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Who reports: the caller of what its breakers guard.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportedBy {
    /// What it is.
    pub kind: ReporterKind,
    /// A service's namespace; a gateway has none, it serves all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The service's name, or the gateway's.
    pub name: ServiceName,
    /// Which instance of it.
    pub instance: InstanceId,
}

impl fmt::Display for ReportedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}/{}", self.name, self.instance),
            None => write!(f, "{}/{}", self.name, self.instance),
        }
    }
}

/// What reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReporterKind {
    /// A gateway.
    Gateway,
    /// A service, through its SDK.
    Service,
}

/// Who is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Called {
    /// The service's namespace.
    pub namespace: Namespace,
    /// The service.
    pub service: ServiceName,
    /// The part of its instances that is meant; all of them if empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subset: String,
}

impl fmt::Display for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.service)?;
        if self.subset.is_empty() {
            return Ok(());
        }
        write!(f, ":{}", self.subset)
    }
}

/// The policy that a machine obeys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRef {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub name: String,
    /// Its revision.
    pub revision: u64,
}

impl PolicyRef {
    /// The policy that is the source; `None` of the built-in defaults.
    pub fn of(source: &Source) -> Option<Self> {
        (!source.is_built_in()).then(|| Self {
            namespace: source.namespace.clone(),
            name: source.policy.clone(),
            revision: source.revision,
        })
    }
}

/// A breaker at one glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Breaker {
    /// Whom it guards calls to.
    pub target: Called,
    /// Whether it only counts what it would have refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Its state.
    #[serde(with = "state")]
    pub state: breaker::State,
    /// Since when.
    pub since: Timestamp,
    /// When time changes the state; absent if it never will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What brought it into its state; absent before the first transition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition: Option<Transition>,
    /// Why its state is one by order, in the words of who gave it; absent where it is not, or no reason was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// Calls since it was made.
    pub statistics: Statistics,
    /// Calls by which it judges.
    pub window: Window,
    /// The policy that it obeys; absent where defaults hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRef>,
}

/// Calls since a breaker was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    /// All that ended or were refused.
    pub total: u64,
    /// Those that ended well.
    pub successful: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were refused; of a breaker in a dry run, those that it would have refused.
    pub rejected: u64,
    /// Those that were slow, whether they failed or not.
    pub slow: u64,
    /// Those that said nothing about the service.
    #[serde(default)]
    pub ignored: u64,
}

/// Calls by which a breaker judges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// All of them.
    pub total: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those that were slow.
    pub slow: u64,
}

/// A breaker's change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// The state before.
    #[serde(with = "state")]
    pub from: breaker::State,
    /// The state after.
    #[serde(with = "state")]
    pub to: breaker::State,
    /// Why, with the figures it decided by.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A breaker's change of state, with whose it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Whom the breaker guards calls to.
    pub target: Called,
    /// Whether it only counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The change.
    #[serde(flatten)]
    pub transition: Transition,
}

/// A limit at one glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// What kind of limit.
    pub kind: LimitKind,
    /// The rule's name; empty where there is only one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Calls to whom; absent of a rate limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Called>,
    /// A policy's target, of which everything shares the limit; of a rate limit only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<Target>,
    /// Whether it only counts what it would have refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// How much may be used: calls at once, or calls in a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How much is used now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
    /// How many wait for their turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<u64>,
    /// Calls that passed, since it was made; absent where they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<u64>,
    /// Calls that were refused; in a dry run those that would have been.
    #[serde(default)]
    pub rejected: u64,
    /// What the reporter has of the limit, where others have the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Share>,
    /// The policy that it obeys; absent where defaults hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRef>,
}

/// What limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// Calls in a period.
    RateLimit,
    /// Calls at once.
    Bulkhead,
    /// Calls at once, as many as go well.
    Adaptive,
    /// The time that a call may take.
    Deadline,
}

/// What tells a reporter's breakers and limits apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A breaker: whom it guards calls to, and whether it only counts.
    Breaker(Called, bool),
    /// A limit.
    Limit(Box<LimitKey>),
}

/// What tells a reporter's limits apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey {
    kind: LimitKind,
    target: Option<Called>,
    under: Option<Target>,
    /// The policy's namespace and name.
    policy: Option<(Namespace, String)>,
    name: String,
    dry_run: bool,
}

impl From<&ClusterKey> for Called {
    fn from(key: &ClusterKey) -> Self {
        Self {
            namespace: key.namespace.clone(),
            service: key.service.clone(),
            subset: match &key.subset {
                Subset::DefaultPort => String::new(),
                Subset::Port(port) => port.to_string(),
                Subset::PortName(name) => name.to_string(),
            },
        }
    }
}

impl Breaker {
    /// What tells it apart from others of its reporter.
    pub fn key(&self) -> Key {
        Key::Breaker(self.target.clone(), self.dry_run)
    }

    /// The share of failures in the window, 0 to 1; `None` of no calls.
    pub fn failure_rate(&self) -> Option<f64> {
        let Window { total, failed, .. } = self.window;
        (total > 0).then(|| failed as f64 / total as f64)
    }

    /// Why it is in its state: the figures it decided by, or the words of who ordered it; empty before the first
    /// transition.
    pub fn why(&self) -> String {
        let reason = self.last_transition.as_ref();
        let reason = reason.map_or("", |transition| transition.reason.as_str());
        match &self.order {
            Some(order) => format!("{reason}: {order}"),
            None => reason.to_owned(),
        }
    }
}

impl Limit {
    /// The namespace of what it limits: of the service that is called, or of a policy's target.
    pub fn namespace(&self) -> Option<&Namespace> {
        let called = self.target.as_ref().map(|target| &target.namespace);
        called.or_else(|| self.under.as_ref().map(|under| &under.namespace))
    }

    /// Which limit it is to all who hold to it, if others do.
    pub fn shared(&self) -> Option<SharedLimit> {
        let share = self.share.as_ref()?;
        Some(SharedLimit {
            policy: share.policy.clone(),
            under: self.under.clone()?,
            name: self.name.clone(),
            dry_run: self.dry_run,
        })
    }

    /// What tells it apart from others of its reporter.
    pub fn key(&self) -> Key {
        let policy = self.policy.as_ref();
        // Machines that belong to a service stay what they are when another policy speaks for them.
        let policy = policy.filter(|_| self.target.is_none());
        Key::Limit(Box::new(LimitKey {
            kind: self.kind,
            target: self.target.clone(),
            under: self.under.clone(),
            policy: policy.map(|policy| (policy.namespace.clone(), policy.name.clone())),
            name: self.name.clone(),
            dry_run: self.dry_run,
        }))
    }
}

impl Report {
    /// Checks the sizes.
    pub fn validate(&self) -> Result<(), Problems> {
        let mut problems = Problems::default();
        let entries = self.breakers.len() + self.limits.len();
        problems.check(
            entries <= MAX_ENTRIES,
            "/breakers",
            format!("at most {MAX_ENTRIES} breakers and limits in one report"),
        );
        problems.check(
            self.events.len() <= MAX_EVENTS,
            "/events",
            format!("at most {MAX_EVENTS} transitions in one report"),
        );
        let mut short = |pointer: fmt::Arguments<'_>, text: &str| {
            problems.check(
                text.len() <= MAX_TEXT,
                pointer,
                format_args!("at most {MAX_TEXT} bytes"),
            );
        };
        for (item, breaker) in self.breakers.iter().enumerate() {
            let at = format_args!("/breakers/{item}");
            short(format_args!("{at}/target/subset"), &breaker.target.subset);
            if let Some(transition) = &breaker.last_transition {
                short(
                    format_args!("{at}/lastTransition/reason"),
                    &transition.reason,
                );
            }
            if let Some(order) = &breaker.order {
                short(format_args!("{at}/order"), order);
            }
            if let Some(policy) = &breaker.policy {
                short(format_args!("{at}/policy/name"), &policy.name);
            }
        }
        for (item, limit) in self.limits.iter().enumerate() {
            let at = format_args!("/limits/{item}");
            short(format_args!("{at}/name"), &limit.name);
            if let Some(target) = &limit.target {
                short(format_args!("{at}/target/subset"), &target.subset);
            }
            if let Some(policy) = &limit.policy {
                short(format_args!("{at}/policy/name"), &policy.name);
            }
            if let Some(share) = &limit.share {
                short(format_args!("{at}/share/policy/name"), &share.policy.name);
            }
        }
        for (item, event) in self.events.iter().enumerate() {
            let at = format_args!("/events/{item}");
            short(format_args!("{at}/target/subset"), &event.target.subset);
            short(format_args!("{at}/reason"), &event.transition.reason);
        }
        problems.into_result(())
    }
}

/// States by their names, as everywhere.
mod state {
    use guildhall_resilience::breaker::State;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn serialize<S: Serializer>(
        state: &State,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(state.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<State, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        super::parse_state(&name).ok_or_else(|| {
            let names = State::ALL.map(State::name).join(", ");
            D::Error::custom(format!(
                "{name:?} is no state of a breaker: write one of {names}"
            ))
        })
    }
}

/// The state that `name` (`HALF_OPEN`) stands for.
pub fn parse_state(name: &str) -> Option<breaker::State> {
    breaker::State::ALL
        .into_iter()
        .find(|state| state.name() == name)
}
