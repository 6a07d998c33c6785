//! The service that is called: endpoints with workers and a backlog each.
//!
//! An endpoint is M/M/c with a bounded queue, first in, first out. It does not notice that nobody waits any more: what
//! was given up is served all the same, as most servers do. That is what makes overload stay (retries of requests whose
//! dead siblings still queue), and no strategy is spared it.

use std::collections::VecDeque;

use fastrand::Rng;

use crate::scenario::Condition;
use crate::time::{MILLISECOND, Nanos};

/// What there is to call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) endpoints: usize,
    /// Requests that an endpoint serves at once.
    pub(crate) workers: usize,
    /// The mean of the exponential service time.
    pub(crate) service: Nanos,
    /// Requests that wait at an endpoint; one more is refused, as a full listen backlog does.
    pub(crate) backlog: usize,
    /// How long a caller waits before it goes away.
    pub(crate) patience: Nanos,
}

impl Site {
    /// Requests a second that all endpoints together can serve.
    pub(crate) fn capacity(&self) -> f64 {
        (self.endpoints * self.workers) as f64 * 1e9 / self.service as f64
    }
}

/// How long a failing endpoint takes to say so.
const FAILS_AFTER: Nanos = MILLISECOND;

/// Which attempt of which request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) request: u64,
    pub(crate) attempt: u32,
}

/// A job that a worker has taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Serving {
    pub(crate) job: Job,
    pub(crate) takes: Nanos,
    /// Whether the answer will be a 503.
    pub(crate) fails: bool,
}

/// What an endpoint does with a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Offered {
    Serving(Serving),
    Queued,
    /// The backlog is full: no connection.
    Refused,
}

/// One endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    workers: usize,
    backlog: usize,
    service: Nanos,
    busy: usize,
    queue: VecDeque<Job>,
}

impl Endpoint {
    pub(crate) fn new(site: &Site) -> Self {
        Self {
            workers: site.workers,
            backlog: site.backlog,
            service: site.service,
            busy: 0,
            queue: VecDeque::new(),
        }
    }

    pub(crate) fn offer(&mut self, job: Job, condition: Condition, random: &mut Rng) -> Offered {
        if self.busy < self.workers {
            self.busy += 1;
            return Offered::Serving(self.serve(job, condition, random));
        }
        if self.queue.len() >= self.backlog {
            return Offered::Refused;
        }
        self.queue.push_back(job);
        Offered::Queued
    }

    /// A worker is done; returns what it takes next.
    pub(crate) fn done(&mut self, condition: Condition, random: &mut Rng) -> Option<Serving> {
        match self.queue.pop_front() {
            Some(job) => Some(self.serve(job, condition, random)),
            None => {
                self.busy -= 1;
                None
            }
        }
    }

    fn serve(&self, job: Job, condition: Condition, random: &mut Rng) -> Serving {
        let (fails, takes) = match condition {
            Condition::Failing => (true, FAILS_AFTER),
            Condition::Serving { slower } => {
                (false, exponential(self.service as f64 * slower, random))
            }
        };
        Serving { job, takes, fails }
    }
}

/// A time drawn from the exponential distribution with this mean.
pub(crate) fn exponential(mean: f64, random: &mut Rng) -> Nanos {
    // 1 - f64() is never 0.
    (-mean * (1.0 - random.f64()).ln()) as Nanos
}
