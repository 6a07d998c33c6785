//! The table of endpoints: who is in the set, who is ejected, and for how long.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::Config;
use super::endpoint::{Endpoint, Observed, Ticket};
use super::sweep::{Rate, outliers};
use crate::ConfigError;
use crate::origin::{Origin, nanos};
use crate::sync::atomic::{AtomicU32, Ordering::Relaxed};
use crate::sync::{Mutex, lock};

/// Why an endpoint was ejected, with the figures.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Failures without a success between them.
    ConsecutiveFailures {
        /// How many.
        failures: u32,
    },
    /// Gateway failures without any other answer between them.
    ConsecutiveGatewayFailures {
        /// How many.
        failures: u32,
    },
    /// Its success rate was too far below the others'.
    SuccessRate {
        /// Its own, 0 to 1.
        rate: f64,
        /// What it should have been at least.
        at_least: f64,
    },
    /// Too many of its requests failed.
    FailurePercentage {
        /// Which share, 0 to 1.
        share: f64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConsecutiveFailures { failures } => write!(f, "{failures} failures in a row"),
            Self::ConsecutiveGatewayFailures { failures } => {
                write!(f, "{failures} gateway failures in a row")
            }
            Self::SuccessRate { rate, at_least } => {
                write!(
                    f,
                    "a success rate of {rate:.3} where {at_least:.3} is the least"
                )
            }
            Self::FailurePercentage { share } => write!(f, "{share:.3} of its requests failed"),
        }
    }
}

/// What happened to an endpoint. Each is returned once.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<K> {
    /// It takes no more requests.
    Ejected {
        /// Which one.
        endpoint: K,
        /// Why.
        reason: Reason,
        /// For how long.
        lasts: Duration,
    },
    /// It would have been ejected, had not so many others been.
    Kept {
        /// Which one.
        endpoint: K,
        /// Why.
        reason: Reason,
    },
    /// Its time is over: it takes requests again.
    Returned {
        /// Which one.
        endpoint: K,
    },
}

/// Outlier ejection over a set of endpoints; see [the module](super).
pub struct Outlier<K> {
    origin: Origin,
    /// 0 for never, both.
    consecutive: AtomicU32,
    consecutive_gateway: AtomicU32,
    table: Mutex<Table<K>>,
}

struct Table<K> {
    config: Config,
    rows: BTreeMap<K, Row<K>>,
}

struct Row<K> {
    endpoint: Arc<Endpoint<K>>,
    /// Ejections in a row: the next one lasts so many times as long, and one more.
    times: u32,
    /// When it left the set; `None` if it is in.
    left: Option<u64>,
}

impl<K: Clone + Ord> Outlier<K> {
    /// Over an empty set.
    ///
    /// # Errors
    /// The settings make no sense; names the field and the remedy.
    pub fn new(config: Config, now: Instant) -> Result<Self, ConfigError> {
        config.check()?;
        let outlier = Self {
            origin: Origin::new(now),
            consecutive: AtomicU32::new(0),
            consecutive_gateway: AtomicU32::new(0),
            table: Mutex::new(Table {
                config: config.clone(),
                rows: BTreeMap::new(),
            }),
        };
        outlier.reconfigure(config)?;
        Ok(outlier)
    }

    /// Takes on other settings. Counts and ejections stay; an ejection lasts as long as it was to last.
    ///
    /// # Errors
    /// They make no sense; the old ones stay.
    pub fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        config.check()?;
        let or_never = |limit: Option<u32>| limit.unwrap_or(0);
        self.consecutive
            .store(or_never(config.consecutive_failures), Relaxed);
        self.consecutive_gateway
            .store(or_never(config.consecutive_gateway_failures), Relaxed);
        lock(&self.table).config = config;
        Ok(())
    }

    /// These endpoints are the set now; returns their records in the same order. One that was in before keeps its state,
    /// and so does one that left not longer ago than the longest ejection: an ejected endpoint is not readmitted by a
    /// redeploy of its neighbours, or by its registration flapping.
    pub fn members(
        &self,
        keys: impl IntoIterator<Item = K>,
        now: Instant,
    ) -> Vec<Arc<Endpoint<K>>> {
        let now = self.origin.nanos(now);
        let mut table = lock(&self.table);
        for row in table.rows.values_mut() {
            row.left = row.left.or(Some(now));
        }
        let member = |key: K| {
            let row = table.rows.entry(key.clone()).or_insert_with(|| Row {
                endpoint: Arc::new(Endpoint::new(key, self.origin)),
                times: 0,
                left: None,
            });
            row.left = None;
            Arc::clone(&row.endpoint)
        };
        keys.into_iter().map(member).collect()
    }

    /// A request that began with this ticket ended so. Allocates nothing unless something happens to the endpoint.
    #[inline]
    pub fn record(
        &self,
        endpoint: &Endpoint<K>,
        ticket: Ticket,
        observed: Observed,
        now: Instant,
    ) -> Option<Event<K>> {
        if endpoint.until() != 0 && endpoint.come_back(self.origin.nanos(now)) {
            endpoint.count(ticket, observed);
            return Some(Event::Returned {
                endpoint: endpoint.key().clone(),
            });
        }
        let streaks = endpoint.count(ticket, observed)?;
        let reached = |limit: &AtomicU32, streak: u32| {
            let limit = limit.load(Relaxed);
            limit != 0 && streak >= limit
        };
        let reason = if reached(&self.consecutive_gateway, streaks.gateway_failures) {
            Reason::ConsecutiveGatewayFailures {
                failures: streaks.gateway_failures,
            }
        } else if reached(&self.consecutive, streaks.failures) {
            Reason::ConsecutiveFailures {
                failures: streaks.failures,
            }
        } else {
            return None;
        };
        self.eject_one(endpoint.key(), ticket, reason, now)
    }

    #[cold]
    fn eject_one(&self, key: &K, ticket: Ticket, reason: Reason, now: Instant) -> Option<Event<K>> {
        let mut table = lock(&self.table);
        let row = table.rows.get(key)?;
        // Another request of the same streak may have been faster.
        if row.left.is_some() || row.endpoint.begin() != ticket {
            return None;
        }
        let event = table.eject(key, reason, self.origin.nanos(now));
        // Told once: as long as it is kept, each further failure would say so again.
        event.filter(|event| {
            let limit = match reason {
                Reason::ConsecutiveGatewayFailures { failures } => {
                    failures == self.consecutive_gateway.load(Relaxed)
                }
                Reason::ConsecutiveFailures { failures } => {
                    failures == self.consecutive.load(Relaxed)
                }
                _ => true,
            };
            limit || !matches!(event, Event::Kept { .. })
        })
    }

    /// An interval is over: returns those whose time has come, ejects those that stand out, worst first, and lets
    /// earlier ejections of those that stayed in be forgotten one by one. Call it every [`Config::interval`].
    pub fn sweep(&self, now: Instant) -> Vec<Event<K>> {
        let now = self.origin.nanos(now);
        let mut table = lock(&self.table);
        let mut events = table.take_back(now);
        let keep = nanos(table.config.max_ejection);
        table
            .rows
            .retain(|_, row| row.left.is_none_or(|left| now.saturating_sub(left) <= keep));
        let rates: Vec<Rate<K>> = table
            .rows
            .iter()
            .filter(|(_, row)| row.left.is_none() && row.endpoint.until() == 0)
            .map(|(key, row)| {
                let (requests, failures) = row.endpoint.take_interval();
                Rate {
                    key: key.clone(),
                    requests,
                    failures,
                }
            })
            .collect();
        for (key, reason) in outliers(&table.config, rates) {
            events.extend(table.eject(&key, reason, now));
        }
        for row in table.rows.values_mut() {
            // One that came back just now begins to be forgiven an interval later.
            let returned = row.endpoint.until() == 0
                && !events
                    .iter()
                    .any(|event| matches!(event, Event::Returned { endpoint } if endpoint == row.endpoint.key()));
            if returned {
                row.times = row.times.saturating_sub(1);
            }
        }
        events
    }

    /// How many of the set are ejected, and how many are in it.
    pub fn ejected(&self, now: Instant) -> (usize, usize) {
        lock(&self.table).ejected(self.origin.nanos(now))
    }
}

impl<K: Clone + Ord> Table<K> {
    fn ejected(&self, now: u64) -> (usize, usize) {
        let members = self.rows.values().filter(|row| row.left.is_none());
        let (mut ejected, mut all) = (0, 0);
        for row in members {
            all += 1;
            ejected += usize::from(now < row.endpoint.until());
        }
        (ejected, all)
    }

    fn take_back(&mut self, now: u64) -> Vec<Event<K>> {
        self.rows
            .values()
            .filter(|row| row.endpoint.come_back(now))
            .map(|row| Event::Returned {
                endpoint: row.endpoint.key().clone(),
            })
            .collect()
    }

    /// Ejects it, unless too many are.
    fn eject(&mut self, key: &K, reason: Reason, now: u64) -> Option<Event<K>> {
        let (ejected, all) = self.ejected(now);
        let share = (all as f64 * self.config.max_ejected_share) as usize;
        let allowed = share.max(1).min(all.saturating_sub(1));
        let (base, most) = (self.config.base_ejection, self.config.max_ejection);
        let row = self.rows.get_mut(key)?;
        if row.endpoint.until() != 0 {
            return None;
        }
        let endpoint = key.clone();
        if ejected >= allowed {
            return Some(Event::Kept { endpoint, reason });
        }
        row.times = row.times.saturating_add(1);
        let lasts = base.saturating_mul(row.times).min(most);
        row.endpoint.eject(now.saturating_add(nanos(lasts)).max(1));
        Some(Event::Ejected {
            endpoint,
            reason,
            lasts,
        })
    }
}

impl<K> fmt::Debug for Outlier<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlier").finish_non_exhaustive()
    }
}
