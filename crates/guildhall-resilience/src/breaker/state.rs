//! The states, and what moves a breaker from one to another.

use std::fmt;
use std::time::Instant;

/// What a breaker does with the next call. The names are resilience4j's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls pass and are counted.
    Closed,
    /// Calls are refused until the open time is over.
    Open,
    /// A few calls pass as probes, the others are refused.
    HalfOpen,
    /// Calls are refused, by order.
    ForcedOpen,
    /// Calls pass and decide nothing, by order.
    Disabled,
    /// Calls pass and are counted in the window, which decides nothing, by order.
    MetricsOnly,
}

impl State {
    /// Every state, in the order of their declaration.
    pub const ALL: [Self; 6] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::ForcedOpen,
        Self::Disabled,
        Self::MetricsOnly,
    ];

    /// Its name: `CLOSED`, `HALF_OPEN`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::Open => "OPEN",
            Self::HalfOpen => "HALF_OPEN",
            Self::ForcedOpen => "FORCED_OPEN",
            Self::Disabled => "DISABLED",
            Self::MetricsOnly => "METRICS_ONLY",
        }
    }

    /// Whether somebody ordered it.
    pub const fn is_forced(self) -> bool {
        matches!(self, Self::ForcedOpen | Self::Disabled | Self::MetricsOnly)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The states that can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forced {
    /// [`State::ForcedOpen`].
    Open,
    /// [`State::Disabled`].
    Disabled,
    /// [`State::MetricsOnly`].
    MetricsOnly,
}

impl From<Forced> for State {
    fn from(forced: Forced) -> Self {
        match forced {
            Forced::Open => Self::ForcedOpen,
            Forced::Disabled => Self::Disabled,
            Forced::MetricsOnly => Self::MetricsOnly,
        }
    }
}

/// Why a breaker changed its state, with the figures it decided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The share of failures in the window was reached.
    FailureRate {
        /// Failed calls in the window.
        failed: u64,
        /// All calls in the window.
        total: u64,
    },
    /// The number of failures in the window was reached.
    FailureCount {
        /// Failed calls in the window.
        failed: u64,
    },
    /// The number of failures without a success between them was reached.
    ConsecutiveFailures {
        /// How many.
        failed: u32,
    },
    /// The share of slow calls in the window was reached.
    SlowCalls {
        /// Slow calls in the window.
        slow: u64,
        /// All calls in the window.
        total: u64,
    },
    /// The open time is over: probes may pass.
    OpenTimeOver,
    /// Too many probes failed.
    ProbesFailed {
        /// How many.
        failed: u8,
    },
    /// The round of probes took too long: those under way count as failures.
    ProbesOverdue {
        /// How many failed.
        failed: u8,
        /// How many were still under way.
        unfinished: u8,
    },
    /// Enough probes succeeded.
    ProbesSucceeded {
        /// How many.
        succeeded: u8,
    },
    /// Somebody ordered the state.
    Forced,
    /// The order expired.
    ForceExpired,
    /// The order was withdrawn.
    Released,
    /// Somebody ordered a fresh start.
    Reset,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailureRate { failed, total } => write!(f, "{failed} of {total} calls failed"),
            Self::FailureCount { failed } => write!(f, "{failed} calls failed"),
            Self::ConsecutiveFailures { failed } => write!(f, "{failed} calls failed in a row"),
            Self::SlowCalls { slow, total } => write!(f, "{slow} of {total} calls were slow"),
            Self::OpenTimeOver => f.write_str("the open time is over"),
            Self::ProbesFailed { failed } => write!(f, "{failed} probes failed"),
            Self::ProbesOverdue { failed, unfinished } => {
                write!(f, "{failed} probes failed and {unfinished} took too long")
            }
            Self::ProbesSucceeded { succeeded } => write!(f, "{succeeded} probes succeeded"),
            Self::Forced => f.write_str("forced"),
            Self::ForceExpired => f.write_str("the force expired"),
            Self::Released => f.write_str("the force was withdrawn"),
            Self::Reset => f.write_str("reset"),
        }
    }
}

/// A change of state, for whoever reports it. Each is returned once, by the call that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: Instant,
    /// When time will change the state again: the end of the open time, of the round of probes, of a force. `None` if
    /// time alone never will.
    pub until: Option<Instant>,
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}: {}", self.from, self.to, self.reason)?;
        match self.until {
            Some(until) => write!(f, " (for {:?})", until.saturating_duration_since(self.at)),
            None => Ok(()),
        }
    }
}
