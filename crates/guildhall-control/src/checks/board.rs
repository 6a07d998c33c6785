//! Every check there is, with its machine, in one queue by time.
//!
//! A heartbeat moves its machine's deadline and nothing else: the queue's entry is put off when
//! its time comes. So the cost of 100,000 heartbeats is that of 100,000 hash look-ups.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use guildhall_core::document::{DocumentKey, Object};
use guildhall_core::registry::health::{CheckOutcome, Moment};
use guildhall_core::registry::{Catalog, Check, Instance};
use tokio::sync::Notify;

use super::CheckOptions;
use super::queue::{Due, What};
use super::table::{Said, Table};
use super::watched::Subject;
use crate::status::Transitions;

/// How many entries of the queue are looked at before others may use the board.
const STRIDE: usize = 2_048;

/// All checks of one control plane.
pub(crate) struct Board {
    options: CheckOptions,
    inner: Mutex<Inner>,
    /// Told when something may be due sooner than it was.
    pub(super) sooner: Notify,
}

struct Inner {
    table: Table,
    runs: u64,
    lag: Duration,
}

/// Checks, and what was done for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckStatistics {
    /// Instances that have checks.
    pub instances: usize,
    /// Their checks.
    pub checks: usize,
    /// Active checks that are running.
    pub running: usize,
    /// Active checks that are due and wait for others to end.
    pub waiting: usize,
    /// Active checks that have ended.
    pub runs: u64,
    /// By how much deadlines were extended, all in all, because the checker itself was late.
    pub lag: Duration,
}

/// A check to run.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) due: Due,
    pub(super) subject: Subject,
}

/// What became of a report.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It was taken in.
    Taken,
    /// The board does not know the instance, or it has no checks.
    Unknown,
    /// The instance has other checks.
    NoSuchCheck(Vec<String>),
    /// The check is not one that is reported.
    NotTtl,
}

impl Job {
    /// The instance to check.
    pub(super) fn instance(&self) -> &Instance {
        &self.subject.instance.spec
    }

    /// The check to run.
    pub(super) fn check(&self) -> Option<&Check> {
        self.subject.checks().get(usize::from(self.due.check))
    }
}

impl Board {
    pub(crate) fn new(options: CheckOptions) -> Self {
        let inner = Inner {
            table: Table::new(options.seed),
            runs: 0,
            lag: Duration::ZERO,
        };
        Self {
            options,
            inner: Mutex::new(inner),
            sooner: Notify::new(),
        }
    }

    pub(super) fn options(&self) -> &CheckOptions {
        &self.options
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an instance on the board as it is now, or takes it off if it has no checks. An older
    /// document than the one known is passed over, unless all is told `anew`: after a restore the
    /// older one is what counts.
    pub(crate) fn know(
        &self,
        instance: &Arc<Object<Instance>>,
        catalog: &Catalog,
        anew: bool,
        now: Moment,
    ) {
        let service = if instance.spec.checks.is_empty() {
            let entry =
                catalog.service(&instance.metadata.namespace, instance.spec.service.as_str());
            entry.and_then(|entry| entry.service.clone())
        } else {
            None
        };
        let subject = Subject {
            instance: Arc::clone(instance),
            service,
        };
        let table = &mut self.lock().table;
        let key = instance.key();
        if anew {
            table.doubt(&key);
        }
        if table.know(key, subject, &self.options, now) {
            self.sooner.notify_one();
        }
    }

    /// Takes an instance off the board.
    pub(super) fn forget(&self, key: &DocumentKey) {
        self.lock().table.forget(key);
    }

    /// Takes off the board what `keep` does not want.
    pub(super) fn retain(&self, keep: impl Fn(&DocumentKey) -> bool) {
        let table = &mut self.lock().table;
        let gone: Vec<DocumentKey> = table
            .by_key
            .keys()
            .filter(|key| !keep(key))
            .cloned()
            .collect();
        gone.iter().for_each(|key| table.forget(key));
    }

    /// Starts every machine afresh, at the state that is recorded: the duty was just taken up.
    pub(super) fn restart(&self, now: Moment) {
        let table = &mut self.lock().table;
        table.queue.clear();
        table.ready.clear();
        let watched = table.slots.iter().flatten();
        let subjects: Vec<_> = watched.map(|watched| watched.subject.clone()).collect();
        let keys: Vec<_> = table.by_key.keys().cloned().collect();
        keys.iter().for_each(|key| table.forget(key));
        for subject in subjects {
            table.know(subject.instance.key(), subject, &self.options, now);
        }
        self.sooner.notify_one();
    }

    /// Passes all ttl checks of an instance.
    pub(crate) fn heartbeat(
        &self,
        key: &DocumentKey,
        transitions: &Transitions,
        now: Moment,
    ) -> Reported {
        let said = Said {
            outcome: CheckOutcome::Passing,
            output: "heartbeat",
        };
        let table = &mut self.lock().table;
        let Some(slot) = table.by_key.get(key).copied() else {
            return Reported::Unknown;
        };
        let ttl: Vec<usize> = match table.slots[slot as usize].as_ref() {
            Some(watched) => (0..watched.checks.len())
                .filter(|at| watched.is_ttl(*at))
                .collect(),
            None => return Reported::Unknown,
        };
        let mut sooner = false;
        for at in ttl {
            sooner |= table.record(slot, at, said, transitions, now);
        }
        if sooner {
            self.sooner.notify_one();
        }
        Reported::Taken
    }

    /// Takes in what an instance says of one of its ttl checks.
    pub(crate) fn report(
        &self,
        key: &DocumentKey,
        check: &str,
        said: Said<'_>,
        transitions: &Transitions,
        now: Moment,
    ) -> Reported {
        let table = &mut self.lock().table;
        let slot = table.by_key.get(key).copied();
        let Some((slot, watched)) =
            slot.and_then(|slot| Some((slot, table.slots[slot as usize].as_ref()?)))
        else {
            return Reported::Unknown;
        };
        match watched.find(check) {
            Some((at, true)) => {
                if table.record(slot, at, said, transitions, now) {
                    self.sooner.notify_one();
                }
                Reported::Taken
            }
            Some((_, false)) => Reported::NotTtl,
            None => {
                let known = watched
                    .subject
                    .checks()
                    .iter()
                    .map(|check| check.name.clone());
                Reported::NoSuchCheck(known.collect())
            }
        }
    }

    /// Does what is due: what time has brought about goes to `transitions`; the checks to run
    /// come back, and when to look again.
    pub(super) fn tick(
        &self,
        transitions: &Transitions,
        now: Moment,
    ) -> (Vec<Job>, Option<Instant>) {
        let table = &mut self.lock().table;
        for _ in 0..STRIDE {
            let Some(due) = table.queue.pop(now.monotonic) else {
                break;
            };
            match due.what {
                What::Deadline => table.lapse(due, transitions, now),
                What::Run => table.ready.push_back(due),
            }
        }
        let mut jobs = Vec::new();
        while table.running < self.options.concurrency
            && let Some(due) = table.ready.pop_front()
        {
            jobs.extend(table.start(due));
        }
        (jobs, table.queue.next())
    }

    /// Takes in the result of a job that began at `started`.
    pub(super) fn finish(
        &self,
        job: &Job,
        said: Said<'_>,
        started: Instant,
        transitions: &Transitions,
        now: Moment,
    ) {
        let mut inner = self.lock();
        inner.runs += 1;
        let table = &mut inner.table;
        table.running -= 1;
        if table.resolve(&job.due).is_some() {
            let first = table.finished(&job.due);
            table.record(
                job.due.slot,
                usize::from(job.due.check),
                said,
                transitions,
                now,
            );
            if let Some(schedule) = job.check().and_then(Check::schedule) {
                let interval = schedule.interval.get();
                // The second run comes after a random part of the interval: checks that began
                // together drift apart for good.
                let wait = if first {
                    table.jitter(interval)
                } else {
                    interval
                };
                let at = (started + wait).max(now.monotonic);
                table.queue.push(Due { at, ..job.due });
            }
        }
        self.sooner.notify_one();
    }

    /// A job that will not be run.
    pub(super) fn abandon(&self, job: &Job) {
        let table = &mut self.lock().table;
        table.running -= 1;
        table.finished(&job.due);
    }

    /// Puts every deadline off: the checker itself did not run for `lag`.
    pub(super) fn extend(&self, lag: Duration) {
        let mut inner = self.lock();
        inner.lag += lag;
        for watched in inner.table.slots.iter_mut().flatten() {
            watched
                .checks
                .iter_mut()
                .for_each(|check| check.machine.extend(lag));
        }
    }

    /// Whether anything waits that lag would be unfair to.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().table.by_key.is_empty()
    }

    pub(crate) fn statistics(&self) -> CheckStatistics {
        let inner = self.lock();
        CheckStatistics {
            instances: inner.table.by_key.len(),
            checks: inner.table.checks,
            running: inner.table.running,
            waiting: inner.table.ready.len(),
            runs: inner.runs,
            lag: inner.lag,
        }
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::document::{Metadata, Namespace, ServiceName, Timestamp};

    use super::*;

    #[test]
    fn ten_thousand_checks_do_not_fire_together() {
        let board = Board::new(CheckOptions {
            concurrency: 20_000,
            seed: Some(1),
            ..CheckOptions::default()
        });
        let transitions = Transitions::new(50);
        let start = Moment {
            monotonic: crate::clock::now(),
            wall: Timestamp(1),
        };
        let mut spec = Instance::new(ServiceName::new("users").unwrap(), "127.0.0.1", 1);
        spec.checks = vec![serde_json::from_value(serde_json::json!({"type": "tcp"})).unwrap()];
        for n in 0..10_000 {
            let object = Object::new(
                Metadata::named(Namespace::default(), format!("u{n}")),
                spec.clone(),
            );
            board.know(&Arc::new(object), &Catalog::new(), false, start);
        }
        let said = Said {
            outcome: CheckOutcome::Passing,
            output: "",
        };
        let mut started = Vec::new();
        for step in 1..=2_200 {
            let now = Moment {
                monotonic: start.monotonic + Duration::from_millis(step * 10),
                ..start
            };
            let mut jobs = 0;
            loop {
                let (batch, _) = board.tick(&transitions, now);
                if batch.is_empty() {
                    break;
                }
                jobs += batch.len();
                for job in &batch {
                    board.finish(job, said, now.monotonic, &transitions, now);
                }
            }
            started.push(jobs);
        }
        // Whoever is not known yet is asked within a second; later all are spread over the
        // interval of ten seconds.
        assert_eq!(started[..100].iter().sum::<usize>() / 1_000, 10);
        assert!(
            started[..100].iter().all(|jobs| *jobs < 200),
            "{:?}",
            &started[..100]
        );
        let later = &started[1_200..2_200];
        assert_eq!(later.iter().sum::<usize>(), 10_000);
        assert!(
            later.iter().all(|jobs| *jobs < 40),
            "at most four times the mean"
        );
    }
}
