//! What gateways and SDKs report of their breakers and limits, so that a fleet's can be seen in one place.
//!
//! Counting stays local: nobody waits for a report, and a report decides nothing but how limits of scope `Shared` are
//! divided: its answer says what the reporter's part of each is from then on.
//!
//! ```text
//! Guards ─▶ GuardState ─▶ Reporter (pure) ─▶ Report ─▶ ReportSink ─▶ the control plane's memory ─▶ GET …/breakers
//! ```
//!
//! - [`Report`]: what is sent.
//! - [`Reporter`]: decides what is told when: a transition within 100 ms, figures every second while they change,
//!   limits that others hold to every three, everything every ten.
//! - [`ReportSink`]: where reports go, in-process or far away.

mod fleet;
mod reporter;
mod sink;
mod wire;

pub use fleet::{BreakerRow, FleetStatistics, LimitRow};
pub use reporter::Reporter;
pub use sink::{Received, ReportError, ReportSink};
pub use wire::{
    Breaker, Called, Event, Key, Limit, LimitKey, LimitKind, MAX_ENTRIES, MAX_EVENTS, PolicyRef,
    Report, ReportedBy, ReporterKind, Statistics, Transition, Window, parse_state,
};

pub use guildhall_resilience::breaker::State;

use std::time::Duration;

/// How often whoever owns machines shows them to its [`Reporter`].
pub const OBSERVE_EVERY: Duration = Duration::from_millis(50);

/// How long what a silent reporter told is believed.
pub const BELIEVED_FOR: Duration = Duration::from_secs(30);
