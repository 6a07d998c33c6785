//! What a caller does: whether a request goes out, where to, for how long, and what comes of its failure.
//!
//! A strategy decides; [`World`](crate::world::World) does. All see the same endpoints and are told the same things.

pub(crate) mod envoy;
pub(crate) mod guildhall;
pub(crate) mod naive;
pub(crate) mod resilience4j;

use guildhall_resilience::shed::Criticality;

use crate::time::Nanos;

/// A request, as far as a strategy may know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) criticality: Criticality,
    /// When the caller goes away.
    pub(crate) deadline: Nanos,
    /// Attempts that were made, those included that were refused before they were sent.
    pub(crate) tries: u32,
    /// Endpoints that were sent an attempt, a bit each.
    pub(crate) tried: u64,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Success,
    /// 503.
    Unavailable,
    /// No connection.
    Connect,
    /// The attempt's own timeout.
    Timeout,
    /// The caller went away.
    CallerLeft,
    /// The strategy itself refused to send it.
    Refused,
}

/// An attempt that is to be made.
#[derive(Debug)]
pub(crate) enum Attempt<H> {
    Send {
        endpoint: usize,
        timeout: Option<Nanos>,
        /// What the strategy holds while it is under way.
        hold: H,
    },
    Refuse,
}

/// What comes of an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    GiveUp,
    Again { after: Nanos },
}

/// A breaker that opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) at: Nanos,
    pub(crate) until: Nanos,
}

/// What a strategy did by itself, for the report.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Log {
    /// The breaker opened.
    pub(crate) openings: Vec<Opening>,
    /// An endpoint was taken out.
    pub(crate) ejections: Vec<Nanos>,
}

/// See [the module](self).
pub(crate) trait Strategy {
    /// What is held while an attempt is under way.
    type Hold;

    /// Whether a request is let in at all.
    fn admit(&mut self, asked: &Asked, now: Nanos) -> bool;

    /// Whether and where an attempt goes. `in_flight` counts this caller's attempts at each endpoint.
    fn attempt(&mut self, asked: &Asked, in_flight: &[u32], now: Nanos) -> Attempt<Self::Hold>;

    /// An attempt is over.
    fn ended(&mut self, hold: Self::Hold, ended: Ended, now: Nanos);

    /// Whether a failed attempt is followed by another.
    fn next(&mut self, asked: &Asked, ended: Ended, now: Nanos) -> Next;

    /// The caller went away before the retry that [`next`](Self::next) granted.
    fn abandoned(&mut self) {}

    /// Ten times a second.
    fn tick(&mut self, now: Nanos);

    /// What it did by itself.
    fn log(&self) -> &Log;

    /// Its limit on requests at once, where it has one that moves.
    fn limit(&self) -> Option<u32> {
        None
    }
}
