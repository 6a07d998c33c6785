//! Checks that the instance reports itself: silence is critical.

use std::time::{Duration, Instant};

use super::{CheckOutcome, Lapse, Moment, Transition, standing::Standing};
use crate::{
    document::Period,
    registry::{Check, CheckState},
};

/// The machine of one ttl check: every report is believed at once, and holds for the TTL.
#[derive(Clone, Debug)]
pub struct TtlMachine {
    standing: Standing,
    ttl: Period,
    /// When a report last came, or waiting began; put off by the platform's own lag.
    heard: Instant,
}

/// What can happen to a ttl check.
#[derive(Clone, Copy, Debug)]
enum Event {
    Report(CheckOutcome),
    Silence,
}

impl TtlMachine {
    /// The machine of `check`, whose reports hold for `ttl`. `kept` is the state it had before a
    /// restart; its deadlines start afresh.
    pub fn new(check: &Check, ttl: Period, kept: Option<CheckState>, now: Moment) -> Self {
        Self {
            standing: Standing::new(check, kept, now),
            ttl,
            heard: now.monotonic,
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

    /// Takes in a report; a heartbeat is a passing one.
    pub fn record(
        &mut self,
        outcome: CheckOutcome,
        output: &str,
        now: Moment,
    ) -> Option<Transition> {
        self.heard = now.monotonic;
        let state = step(self.standing.state, Event::Report(outcome));
        self.standing.change(state, output, now)
    }

    /// When to ask [`TtlMachine::lapse`] next, if nothing else happens: when the TTL runs out, or
    /// once critical, when the instance is to be removed.
    pub fn deadline(&self) -> Option<Instant> {
        match self.standing.state {
            CheckState::Critical => self.standing.deregister_at(),
            _ => self.heard.checked_add(self.ttl.get()),
        }
    }

    /// What the passing of time brings about: first the missed TTL, later, counted from then,
    /// the removal, which repeats until the instance is gone.
    pub fn lapse(&mut self, now: Moment) -> Option<Lapse> {
        if now.monotonic < self.deadline()? {
            return None;
        }
        let state = step(self.standing.state, Event::Silence);
        let output = format!("nothing heard for {}", self.ttl);
        let missed = self.standing.change(state, &output, now).map(Lapse::Missed);
        Some(missed.unwrap_or(Lapse::Deregister))
    }

    /// Puts deadlines off by the time in which the platform itself did not run: reports may have
    /// come that nobody was there to hear.
    pub fn extend(&mut self, lag: Duration) {
        self.heard = self.heard.checked_add(lag).unwrap_or(self.heard);
        self.standing.extend(lag);
    }
}

/// The table: what is believed after an event. The state before does not matter, which is the
/// difference from an active check.
fn step(_state: CheckState, event: Event) -> CheckState {
    match event {
        Event::Report(outcome) => outcome.state(),
        Event::Silence => CheckState::Critical,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn every_state_and_event() {
        let states = [
            CheckState::Starting,
            CheckState::Passing,
            CheckState::Warning,
            CheckState::Critical,
        ];
        let mut table = String::new();
        for state in states {
            for event in CheckOutcome::ALL
                .map(Event::Report)
                .into_iter()
                .chain([Event::Silence])
            {
                writeln!(table, "{state:?} + {event:?} -> {:?}", step(state, event)).unwrap();
            }
        }
        insta::assert_snapshot!("ttl", table);
    }
}
