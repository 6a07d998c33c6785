//! The effective policy as configurations of `guildhall-resilience`.
//!
//! A section that no policy has is `None`, and the caller does what it does without policies. One that says
//! `enabled: false` is `None` too and stands in [`Compiled::off`]: the pattern is off, whatever the caller's defaults.
//! Every other one stands beside the policy that refusals by it name: the most specific one that has the section.
//!
//! What a policy says alone was checked when it was written, by compiling it; what several say together may still
//! contradict itself (one sets `minConcurrency` above the other's `maxConcurrency`). Then the section is compiled from
//! the most specific policy's fields alone, and a [`Problem`] says so; it becomes a condition of the policies involved
//! ([`Policies::status`](super::Policies::status)).
//!
//! # What an edit keeps
//!
//! Whoever holds the machines compares with [`Compiled::changed`] and hands only changed configurations to
//! `reconfigure`; machines are kept by service, endpoint and rule, never by route or stack. What each field's edit
//! then keeps is told where the field is declared and stands in docs/reference/policies.md; in short, and held by
//! tests that edit every field (`tests/it/policy/edits.rs`):
//!
//! | section | an edit keeps | it begins anew |
//! |---|---|---|
//! | `loadBalancer` | endpoints' requests under way, latencies, ages; turns | tables by hash |
//! | `timeouts` | deadlines under way; a breaker's state and window | nothing |
//! | `retry`, `hedging` | the budget's count, latencies measured | nothing |
//! | `circuitBreaker` | state, window, statistics, an open time under way | the window when its `type` changes, and by order (`force`, `reset`); a round of probes when their number does |
//! | `outlierDetection` | counts, ejections under way | nothing |
//! | `rateLimit` | what is used up, of each rule that keeps name, `algorithm`, `key` and `scope` | the other rules |
//! | `bulkhead` | requests under way, those that wait | nothing |
//! | `adaptiveConcurrency` | the limit found, averages | learning, when `algorithm` changes |
//! | `fallback` | answers kept | answers kept, when `maxEntries` or `maxBytes` change |

mod balancer;
mod breaker;
mod fallback;
mod key;
mod limits;
mod retry;
mod timeouts;

use std::{fmt, sync::Arc, time::Duration};

use guildhall_resilience::{
    ConfigError, adaptive::AdaptiveConfig, bulkhead::BulkheadConfig, outlier,
};
use serde::Serialize;

pub use balancer::BalanceRule;
pub use breaker::{BreakerRule, ForcedOrder};
pub use fallback::{FallbackRule, FallbackTarget, FixedAnswer, KeptAnswers};
pub use key::KeyedBy;
pub use limits::{LimitRule, Limiter, LimiterKey};
pub use retry::{HedgeRule, RetryRule};
pub use timeouts::{TimeLimit, TimeoutRule};

use super::{
    effective::{Effective, Source},
    spec::{CircuitBreaker, Section, Sections},
};
use crate::document::{Pointer, Problems};

/// A section as a configuration, and the policy that refusals by it name.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule<T> {
    /// The configuration.
    pub config: T,
    /// The most specific policy that has the section.
    pub source: Arc<Source>,
}

macro_rules! compiled {
    ($($field:ident $name:literal: $section:ident => $config:ty, $doc:literal;)+) => {
        /// What holds on a request's way, ready for the machines.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Compiled {
            $(#[doc = $doc] pub $field: Option<Rule<$config>>,)+
            /// The sections that policies have and that are off all the same (`enabled: false`, an empty list): the
            /// defaults of gateway or SDK do not hold for them either.
            pub off: Vec<Section>,
        }

        impl Compiled {
            /// The sections whose configuration differs in `next`: what has to be reconfigured. That another policy is
            /// now named, or the same one's new revision, is no difference.
            pub fn changed(&self, next: &Self) -> Vec<Section> {
                let mut changed = Vec::new();
                $({
                    let (old, new) = (self.$field.as_ref(), next.$field.as_ref());
                    let off = |compiled: &Self| compiled.off.contains(&Section::$section);
                    let same = old.map(|rule| &rule.config) == new.map(|rule| &rule.config) && off(self) == off(next);
                    if !same {
                        changed.push(Section::$section);
                    }
                })+
                changed
            }
        }

        impl Configs {
            /// Compiles all sections, each with `attempt_timeout` of the whole.
            fn of(sections: &Sections, attempt: Option<Duration>, only: Option<Section>, at: Option<&Pointer<'_>>, problems: &mut Problems) -> Self {
                let mut configs = Self::default();
                $(
                    if let Some(spec) = &sections.$field && only.is_none_or(|only| only == Section::$section) {
                        let at = at.map_or(Pointer::root($name), |at| at.field($name));
                        configs.$field = spec.compile(&At { pointer: at, attempt_timeout: attempt }, problems);
                    }
                )+
                configs
            }

            fn into_compiled(self, effective: &Effective) -> Compiled {
                let mut compiled = Compiled::default();
                $(
                    if let (Some(config), Some(source)) = (self.$field, effective.source(Section::$section)) {
                        compiled.$field = Some(Rule { config, source: source.clone() });
                    } else if effective.sections.has(Section::$section) {
                        compiled.off.push(Section::$section);
                    }
                )+
                compiled
            }

            fn take(&mut self, section: Section, from: Self) {
                match section { $(Section::$section => self.$field = from.$field,)+ }
            }
        }

        #[derive(Default)]
        struct Configs {
            $($field: Option<$config>,)+
        }
    };
}

compiled! {
    load_balancer "loadBalancer": LoadBalancer => BalanceRule, "Which endpoint takes a request.";
    timeouts "timeouts": Timeouts => TimeoutRule, "How long a request may take.";
    retry "retry": Retry => RetryRule, "What is sent again.";
    circuit_breaker "circuitBreaker": CircuitBreaker => BreakerRule, "Whether a service is called while it fails.";
    outlier_detection "outlierDetection": OutlierDetection => outlier::Config, "Whether an endpoint is used while it fails.";
    rate_limit "rateLimit": RateLimit => Vec<LimitRule>, "How many requests in how much time; all of them hold.";
    bulkhead "bulkhead": Bulkhead => BulkheadConfig, "How many requests at once.";
    adaptive_concurrency "adaptiveConcurrency": AdaptiveConcurrency => AdaptiveConfig, "How many at once, by latency.";
    fallback "fallback": Fallback => FallbackRule, "What is answered when a request cannot be.";
    hedging "hedging": Hedging => HedgeRule, "What is sent twice.";
}

/// A section whose fields contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The section.
    pub section: Section,
    /// The field, as a JSON Pointer into the spec: `/retry/backOff/maxInterval`.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub detail: String,
    /// The policies that have fields in the section, in the order of their fields.
    pub sources: Vec<Arc<Source>>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.detail)?;
        let separators = ["; made of "].into_iter().chain(std::iter::repeat(" and "));
        for (source, separator) in self.sources.iter().zip(separators) {
            write!(f, "{separator}{source}")?;
        }
        write!(f, ": only the most specific policy's fields hold")
    }
}

/// The effective policy, compiled, and what could not be.
pub fn compile(effective: &Effective) -> (Compiled, Vec<Problem>) {
    let sections = &effective.sections;
    let attempt = attempt_timeout(sections);
    let mut told = Vec::new();
    let mut configs = Configs::default();
    for section in Section::ALL
        .iter()
        .copied()
        .filter(|section| sections.has(*section))
    {
        let mut problems = Problems::default();
        let merged = Configs::of(sections, attempt, Some(section), None, &mut problems);
        if problems.0.is_empty() {
            configs.take(section, merged);
            continue;
        }
        // Checked when it was written. If it is wrong all the same, the pattern is off, and the condition says why.
        let mut ignored = Problems::default();
        let nearest = Configs::of(
            &effective.nearest,
            attempt,
            Some(section),
            None,
            &mut ignored,
        );
        if ignored.0.is_empty() {
            configs.take(section, nearest);
        }
        let sources: Vec<_> = effective.sources(section).into_iter().cloned().collect();
        told.extend(problems.0.into_iter().map(|problem| Problem {
            section,
            pointer: problem.pointer,
            detail: problem.detail,
            sources: sources.clone(),
        }));
    }
    // Who forces a breaker where there was none wants that state for a while, and no breaker ever after.
    let alone = |section: Section| {
        effective
            .origins
            .get(section.name())
            .is_some_and(|origin| origin.over.is_empty())
    };
    let ordered = sections.circuit_breaker.as_ref();
    if ordered.is_some_and(CircuitBreaker::is_order) && alone(Section::CircuitBreaker) {
        configs.circuit_breaker = configs.circuit_breaker.map(BreakerRule::without_judgement);
    }
    (configs.into_compiled(effective), told)
}

/// Notes what keeps one policy's sections from being compiled; `at` points at the spec.
pub(super) fn check(sections: &Sections, at: &Pointer<'_>, problems: &mut Problems) {
    Configs::of(
        sections,
        attempt_timeout(sections),
        None,
        Some(at),
        problems,
    );
}

fn attempt_timeout(sections: &Sections) -> Option<Duration> {
    let timeout = sections.timeouts.as_ref()?.backend_request?.get();
    (!timeout.is_zero()).then_some(timeout)
}

/// Where a section stands, and what it needs to know of the others.
struct At<'a> {
    pointer: Pointer<'a>,
    attempt_timeout: Option<Duration>,
}

impl At<'_> {
    /// The value, or its error noted at the field that `names` gives for it (with a remedy in the document's own
    /// words, where that of the configuration speaks of its own).
    fn take<T>(
        &self,
        result: Result<T, ConfigError>,
        names: &Names,
        problems: &mut Problems,
    ) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                let named = names.iter().find(|(field, ..)| *field == error.field);
                let (path, remedy) =
                    named.map_or((error.field, None), |(_, path, remedy)| (*path, *remedy));
                problems.add(
                    format_args!("{}/{path}", self.pointer),
                    remedy.unwrap_or(error.remedy),
                );
                None
            }
        }
    }
}

/// Fields of a configuration, where they stand in the section, and the remedy in the document's words.
type Names = [(&'static str, &'static str, Option<&'static str>)];

/// A share in percent as one of 1.
fn share(percent: f64) -> f64 {
    percent / 100.0
}
