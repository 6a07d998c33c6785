//! Rate limits at work: all rules of a list, each with its count.

use std::{
    borrow::Cow,
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_resilience::{
    Pattern,
    limiter::{
        Gcra, Keyed, LeakyQueue, Limited, Quota, RateLimit, SlidingWindow, Turn, WarmUp,
        exact::Ask, header,
    },
};

use super::{
    exact::{Asked, Asking},
    rejected::Rejected,
    share::{PolicyName, Share, Shared},
    state::Tally,
};
use crate::policy::{
    compile::{KeyedBy, LimitRule, Limiter},
    effective::Source,
    spec::RateLimitScope,
};

/// The limits on a way; a request must pass all of them.
#[derive(Debug)]
pub struct Limits {
    /// In the order in which they are asked.
    pub limits: Box<[Limit]>,
    /// The policy that refusals name.
    pub source: Arc<Source>,
    /// The value of `RateLimit-Policy`.
    pub policy_header: Box<str>,
    /// Whether some are counted by several processes together: then [`ask`](Self::ask) them.
    pub exact: bool,
}

/// One limit.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The rule's name.
    pub name: Arc<str>,
    /// What it counts by; all requests together if absent.
    pub key: Option<KeyedBy>,
    /// The limit as it is told to callers.
    pub quota: Quota,
    /// The name of its count, where several processes count it together.
    pub exact: Option<Arc<str>>,
    pub(super) machine: Arc<Machine>,
    pub(super) tally: Arc<Tally>,
}

/// What counts.
#[derive(Debug)]
pub(super) enum Machine {
    Bucket(Gcra),
    Shared(Shared),
    Keyed(Keyed<String>),
    Window(SlidingWindow),
    Leaky(LeakyQueue),
    WarmUp(WarmUp),
}

/// All limits were passed.
#[derive(Debug)]
#[must_use]
pub struct Pass {
    /// Where the request stands with the limit of which least is left: which of [`Limits::limits`], and what the
    /// `RateLimit` header says. `None` if all of them only pace.
    pub tightest: Option<(usize, RateLimit)>,
    /// The place in line, where a limit that paces lets the request wait: the longest if there are several.
    pub line: Option<Line>,
}

/// A place in line. Dropped before its [turn](Line::reached), it is given back.
#[derive(Debug)]
pub struct Line {
    machine: Arc<Machine>,
    turn: Option<Turn>,
    at: Instant,
    wait: Duration,
}

impl Line {
    /// When the request may go on.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// How long that was when it got its place.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// The time has come: the place is used.
    pub fn reached(mut self) {
        self.turn = None;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let (Machine::Leaky(queue), Some(turn)) = (&*self.machine, self.turn.take()) {
            queue.give_back(turn);
        }
    }
}

impl Limits {
    pub(super) fn new(limits: Box<[Limit]>, source: Arc<Source>) -> Self {
        let mut policy_header = String::new();
        for limit in &limits {
            let comma = if policy_header.is_empty() { "" } else { ", " };
            let item = header::policy(&limit.name, &limit.quota);
            // Writing into a string does not fail.
            let _ = write!(policy_header, "{comma}{item}");
        }
        Self {
            exact: limits.iter().any(|limit| limit.exact.is_some()),
            limits,
            source,
            policy_header: policy_header.into(),
        }
    }

    /// Takes what a request costs from each limit. `key` finds in it what a limit counts by; a request that has none
    /// of it has an empty key, which it shares with all others like it. Limits that several processes count together
    /// are counted here alone: [`ask`](Self::ask) asks whoever counts.
    ///
    /// # Errors
    /// One refuses: it is named. What earlier limits have counted stays counted, but for places in line.
    pub fn admit<'a>(
        &self,
        now: Instant,
        key: impl Fn(&KeyedBy) -> Cow<'a, str>,
    ) -> Result<Pass, Rejected> {
        match self.ask(now, key)? {
            Asked::Passed(pass) => Ok(pass),
            Asked::Exact(asking) => asking.answered(None, now),
        }
    }

    /// The same, up to where somebody else has to be asked: limits that are counted here come first, in their order.
    ///
    /// # Errors
    /// As [`admit`](Self::admit).
    pub fn ask<'a>(
        &self,
        now: Instant,
        key: impl Fn(&KeyedBy) -> Cow<'a, str>,
    ) -> Result<Asked<'_>, Rejected> {
        let mut pass = Pass {
            tightest: None,
            line: None,
        };
        let mut asks = Vec::new();
        for (at, limit) in self.limits.iter().enumerate() {
            match &limit.exact {
                None => self.pass(at, &mut pass, &key, now)?,
                Some(count) => {
                    let mut ask = Ask::new(count.clone(), limit.quota);
                    ask.key = limit.key.as_ref().map(|by| key(by).into_owned());
                    asks.push((at, ask));
                }
            }
        }
        Ok(match asks.is_empty() {
            true => Asked::Passed(pass),
            false => Asked::Exact(Asking::new(self, pass, asks)),
        })
    }

    /// Takes what a request costs from the limit at this place, as it is counted here.
    pub(super) fn pass<'a>(
        &self,
        at: usize,
        pass: &mut Pass,
        key: impl Fn(&KeyedBy) -> Cow<'a, str>,
        now: Instant,
    ) -> Result<(), Rejected> {
        let limit = &self.limits[at];
        match limit.machine.check(limit.key.as_ref(), key, now) {
            Ok(Admitted::Status(status)) => pass.stands(at, status),
            Ok(Admitted::Turn(turn)) => pass.waits(Line {
                machine: limit.machine.clone(),
                at: turn.at,
                wait: turn.wait,
                turn: Some(turn),
            }),
            Err(limited) => return Err(self.refuse(limit, limited)),
        }
        limit.tally.pass();
        Ok(())
    }

    /// A refusal by this limit; counts it.
    pub(super) fn refuse(&self, limit: &Limit, limited: Limited) -> Rejected {
        limit.tally.refuse();
        Rejected {
            by: Pattern::RateLimit,
            policy: self.source.clone(),
            rule: Some(limit.name.clone()),
            retry_after: limited.retry_after,
        }
    }
}

impl Pass {
    /// Nobody waits in a line that is only tried: the place counts as used.
    pub fn forgo_line(self) {
        if let Some(line) = self.line {
            line.reached();
        }
    }

    /// The request stands so with the limit at this place.
    pub(super) fn stands(&mut self, at: usize, status: RateLimit) {
        let left = |status: &RateLimit| (status.remaining, status.limit);
        if self
            .tightest
            .as_ref()
            .is_none_or(|(_, least)| left(&status) < left(least))
        {
            self.tightest = Some((at, status));
        }
    }

    /// The request has a place in this line, too.
    fn waits(&mut self, line: Line) {
        match &self.line {
            _ if line.wait.is_zero() => line.reached(),
            // The shorter line's place is used while the request stands in the longer.
            Some(longer) if longer.wait >= line.wait => line.reached(),
            _ => {
                if let Some(shorter) = self.line.replace(line) {
                    shorter.reached();
                }
            }
        }
    }
}

/// What a limit said that let a request pass.
pub(super) enum Admitted {
    Status(RateLimit),
    Turn(Turn),
}

impl Machine {
    pub(super) fn new(rule: &LimitRule, now: Instant) -> Self {
        match (rule.limiter, &rule.key) {
            (Limiter::TokenBucket(quota), Some(key)) => {
                match Keyed::new(quota, key.capacity, now) {
                    Ok(keyed) => Self::Keyed(keyed),
                    // Not to be had: a rule's capacity is within the bounds.
                    Err(_) => Self::Bucket(Gcra::new(quota, now)),
                }
            }
            (Limiter::TokenBucket(quota), None) if rule.scope == RateLimitScope::Shared => {
                Self::Shared(Shared::new(quota, now))
            }
            (Limiter::TokenBucket(quota), None) => Self::Bucket(Gcra::new(quota, now)),
            (Limiter::SlidingWindow(quota), _) => Self::Window(SlidingWindow::new(quota, now)),
            (Limiter::LeakyQueue { quota, max_wait }, _) => {
                Self::Leaky(LeakyQueue::new(quota, max_wait, now))
            }
            (Limiter::WarmUp(config), _) => Self::WarmUp(WarmUp::new(config, now)),
        }
    }

    /// Tells it another rule that [keeps its count](LimitRule::keeps_count_of).
    pub(super) fn reconfigure(&self, rule: &LimitRule, now: Instant) {
        match (self, rule.limiter) {
            (Self::Bucket(machine), Limiter::TokenBucket(quota)) => machine.reconfigure(quota, now),
            (Self::Shared(machine), Limiter::TokenBucket(quota)) => machine.reconfigure(quota, now),
            (Self::Keyed(machine), Limiter::TokenBucket(quota)) => machine.reconfigure(quota, now),
            (Self::Window(machine), Limiter::SlidingWindow(quota)) => {
                machine.reconfigure(quota, now);
            }
            (Self::Leaky(machine), Limiter::LeakyQueue { quota, max_wait }) => {
                machine.reconfigure(quota, max_wait);
            }
            (Self::WarmUp(machine), Limiter::WarmUp(config)) => machine.reconfigure(config, now),
            // Another algorithm is another machine.
            _ => {}
        }
    }

    /// What it has of its limit, where others have the rest; `policy` has the rule.
    pub(super) fn share(&self, policy: impl FnOnce() -> PolicyName) -> Option<Share> {
        self.shared().map(|shared| shared.share(policy()))
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        match self {
            Self::Shared(shared) => Some(shared),
            _ => None,
        }
    }

    pub(super) fn check<'a>(
        &self,
        by: Option<&KeyedBy>,
        key: impl Fn(&KeyedBy) -> Cow<'a, str>,
        now: Instant,
    ) -> Result<Admitted, Limited> {
        match self {
            Self::Bucket(machine) => machine
                .check(now)
                .map(|allowed| Admitted::Status(allowed.status())),
            Self::Shared(machine) => machine
                .gcra()
                .check(now)
                .map(|allowed| Admitted::Status(allowed.status())),
            Self::Keyed(machine) => {
                let key = by.map_or(Cow::Borrowed(""), key);
                machine
                    .check(&*key, now)
                    .map(|allowed| Admitted::Status(allowed.status()))
            }
            Self::Window(machine) => machine.check(now).map(Admitted::Status),
            Self::Leaky(machine) => machine.take(now).map(Admitted::Turn),
            Self::WarmUp(machine) => machine.take(now).map(Admitted::Turn),
        }
    }
}
