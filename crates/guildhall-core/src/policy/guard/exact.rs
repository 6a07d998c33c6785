//! Limits that several processes count together: what is asked elsewhere, and what its answer means here.
//!
//! Pure: whoever holds an [`Asking`] asks, and tells it the answer. Every request that passes elsewhere is counted here,
//! too, so that the limit goes on from what this process has used when there is nobody to ask.

use std::{borrow::Cow, time::Instant};

use guildhall_resilience::limiter::exact::{Answer, Ask};

use super::{
    limits::{Limits, Pass},
    rejected::Rejected,
};

/// What came of asking the limits that are counted here.
#[derive(Debug)]
#[must_use]
pub enum Asked<'l> {
    /// All limits were passed.
    Passed(Pass),
    /// These were; others have to be asked.
    Exact(Asking<'l>),
}

/// A request that has passed the limits that are counted here, before those that several processes count together.
/// Dropped, it gives back its place in line.
#[derive(Debug)]
#[must_use = "a request passes once the answer is known"]
pub struct Asking<'l> {
    limits: &'l Limits,
    pass: Pass,
    /// Which of the limits each ask is for.
    places: Vec<usize>,
    asks: Vec<Ask>,
}

impl<'l> Asking<'l> {
    pub(super) fn new(limits: &'l Limits, pass: Pass, asks: Vec<(usize, Ask)>) -> Self {
        let (places, asks) = asks.into_iter().unzip();
        Self {
            limits,
            pass,
            places,
            asks,
        }
    }

    /// What to ask, all at once.
    pub fn asks(&self) -> &[Ask] {
        &self.asks
    }

    /// This was answered; `None` if nobody did: then each limit is what is counted here.
    ///
    /// # Errors
    /// A limit refuses: it is named.
    pub fn answered(mut self, answer: Option<Answer>, now: Instant) -> Result<Pass, Rejected> {
        let limits = &self.limits.limits;
        match answer {
            Some(Ok(allowed)) => {
                let asked = self.places.iter().zip(&self.asks);
                for ((at, ask), allowed) in asked.zip(allowed) {
                    // What it says does not matter while somebody else counts.
                    let _ = limits[*at]
                        .machine
                        .check(limits[*at].key.as_ref(), |_| key(ask), now);
                    limits[*at].tally.pass();
                    self.pass.stands(*at, allowed.status());
                }
            }
            Some(Err(over)) => {
                if let Some(at) = self.places.get(over.at) {
                    return Err(self.limits.refuse(&limits[*at], over.limited));
                }
            }
            None => {
                for (at, ask) in self.places.iter().zip(&self.asks) {
                    self.limits.pass(*at, &mut self.pass, |_| key(ask), now)?;
                }
            }
        }
        Ok(self.pass)
    }
}

fn key(ask: &Ask) -> Cow<'_, str> {
    Cow::Borrowed(ask.key.as_deref().unwrap_or_default())
}
