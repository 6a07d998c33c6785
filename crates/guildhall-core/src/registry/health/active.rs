//! Checks that the platform runs: a result is believed when it repeats.

use std::time::{Duration, Instant};

use super::{CheckOutcome, Lapse, Moment, Transition, standing::Standing};
use crate::registry::{Check, CheckState, Schedule};

/// The rise and fall machine of one active check.
///
/// It takes `fall` failures in a row to become critical and `rise` results in a row that do not
/// fail to leave it. Between passing and warning one result is enough: both are used, so that
/// nothing flaps. The very first result decides alone, as in HAProxy and Envoy: there is nothing
/// yet that a threshold could protect.
#[derive(Clone, Debug)]
pub struct CheckMachine {
    standing: Standing,
    /// Results in a row that speak against the state.
    streak: u32,
    rise: u32,
    fall: u32,
}

impl CheckMachine {
    /// The machine of `check`, which runs by `schedule`. `kept` is the state it had before a
    /// restart; its deadlines start afresh.
    pub fn new(check: &Check, schedule: &Schedule, kept: Option<CheckState>, now: Moment) -> Self {
        Self {
            standing: Standing::new(check, kept, now),
            streak: 0,
            rise: schedule.rise,
            fall: schedule.fall,
        }
    }

    /// The check's name.
    pub fn name(&self) -> &str {
        &self.standing.name
    }

    /// What is believed.
    pub fn state(&self) -> CheckState {
        self.standing.state
    }

    /// Takes in the result of one run.
    pub fn record(
        &mut self,
        outcome: CheckOutcome,
        output: &str,
        now: Moment,
    ) -> Option<Transition> {
        let (state, streak) = step(
            self.standing.state,
            self.streak,
            outcome,
            self.rise,
            self.fall,
        );
        self.streak = streak;
        self.standing.change(state, output, now)
    }

    /// When to ask [`CheckMachine::lapse`] next, if nothing else happens. When to run the check
    /// next is its schedule's to say.
    pub fn deadline(&self) -> Option<Instant> {
        self.standing.deregister_at()
    }

    /// What the passing of time brings about; repeats [`Lapse::Deregister`] until the instance
    /// is gone.
    pub fn lapse(&mut self, now: Moment) -> Option<Lapse> {
        let at = self.standing.deregister_at()?;
        (now.monotonic >= at).then_some(Lapse::Deregister)
    }

    /// Puts deadlines off by the time in which the platform itself did not run.
    pub fn extend(&mut self, lag: Duration) {
        self.standing.extend(lag);
    }
}

/// The table: from a state, with `streak` results in a row against it, to the next.
fn step(
    state: CheckState,
    streak: u32,
    outcome: CheckOutcome,
    rise: u32,
    fall: u32,
) -> (CheckState, u32) {
    use {CheckOutcome as Said, CheckState as Is};
    let against = streak.saturating_add(1);
    match (state, outcome) {
        (Is::Starting, said) => (said.state(), 0),
        (Is::Passing | Is::Warning, Said::Critical) if against >= fall => (Is::Critical, 0),
        (Is::Passing | Is::Warning, Said::Critical) => (state, against),
        (Is::Passing | Is::Warning, said) => (said.state(), 0),
        (Is::Critical, Said::Critical) => (Is::Critical, 0),
        (Is::Critical, said) if against >= rise => (said.state(), 0),
        (Is::Critical, _) => (Is::Critical, against),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn every_state_and_outcome() {
        let states = [
            CheckState::Starting,
            CheckState::Passing,
            CheckState::Warning,
            CheckState::Critical,
        ];
        let mut table = String::new();
        for state in states {
            for streak in 0..3 {
                for outcome in CheckOutcome::ALL {
                    let (next, after) = step(state, streak, outcome, 2, 3);
                    writeln!(
                        table,
                        "{state:?} {streak} + {outcome:?} -> {next:?} {after}"
                    )
                    .unwrap();
                }
            }
        }
        insta::assert_snapshot!("rise_2_fall_3", table);
    }
}
