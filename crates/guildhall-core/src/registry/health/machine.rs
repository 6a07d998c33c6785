//! The machine of any check.

use std::time::{Duration, Instant};

use super::{CheckMachine, CheckOutcome, Moment, Transition, TtlMachine};
use crate::registry::{Check, CheckState, Probe};

/// The machine of a check of whatever type.
#[derive(Clone, Debug)]
pub enum Machine {
    /// The platform runs the check.
    Active(CheckMachine),
    /// The instance reports.
    Ttl(TtlMachine),
}

/// What the passing of time brings about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// A report did not come within its TTL.
    Missed(Transition),
    /// The check has been critical for `deregisterAfter` without a break: the instance goes.
    Deregister,
}

impl Machine {
    /// The machine of `check`. `kept` is the state it had before a restart; its deadlines start
    /// afresh.
    pub fn new(check: &Check, kept: Option<CheckState>, now: Moment) -> Self {
        match &check.probe {
            Probe::Ttl { ttl } => Self::Ttl(TtlMachine::new(check, *ttl, kept, now)),
            Probe::Http { schedule, .. }
            | Probe::Tcp { schedule, .. }
            | Probe::Grpc { schedule, .. } => {
                Self::Active(CheckMachine::new(check, schedule, kept, now))
            }
        }
    }

    /// The check's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Active(machine) => machine.name(),
            Self::Ttl(machine) => machine.name(),
        }
    }

    /// What is believed.
    pub fn state(&self) -> CheckState {
        match self {
            Self::Active(machine) => machine.state(),
            Self::Ttl(machine) => machine.state(),
        }
    }

    /// Takes in a result or a report.
    pub fn record(
        &mut self,
        outcome: CheckOutcome,
        output: &str,
        now: Moment,
    ) -> Option<Transition> {
        match self {
            Self::Active(machine) => machine.record(outcome, output, now),
            Self::Ttl(machine) => machine.record(outcome, output, now),
        }
    }

    /// When to ask [`Machine::lapse`] next, if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Active(machine) => machine.deadline(),
            Self::Ttl(machine) => machine.deadline(),
        }
    }

    /// What the passing of time brings about.
    pub fn lapse(&mut self, now: Moment) -> Option<Lapse> {
        match self {
            Self::Active(machine) => machine.lapse(now),
            Self::Ttl(machine) => machine.lapse(now),
        }
    }

    /// Puts deadlines off by the time in which the platform itself did not run.
    pub fn extend(&mut self, lag: Duration) {
        match self {
            Self::Active(machine) => machine.extend(lag),
            Self::Ttl(machine) => machine.extend(lag),
        }
    }
}
