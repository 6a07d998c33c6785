//! A breaker at one glance.

use std::time::Instant;

use super::state::{State, Transition};
use super::window::Counts;

/// State, statistics and window of a breaker: a row in a view of a fleet. Numbers of calls are counted since the breaker
/// was made, whatever happened to its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The state as it was last published.
    pub state: State,
    /// When time changes the state; `None` if it never will.
    pub until: Option<Instant>,
    /// All calls that ended or were refused.
    pub total: u64,
    /// Calls that ended well.
    pub successful: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Calls that were slow, whether they failed or not; 0 if slow calls are not looked for.
    pub slow: u64,
    /// Calls that said nothing about the service.
    pub ignored: u64,
    /// Calls that were refused.
    pub rejected: u64,
    /// Probes that have not ended yet.
    pub probes_under_way: u8,
    /// What stands in the window by which a closed breaker judges.
    pub window: Counts,
    /// The latest change of state, with its reason and its time; `None` before the first.
    pub last_transition: Option<Transition>,
}
