//! Every check there is, with its machine, in one queue by time.
//!
//! A heartbeat moves its machine's deadline and nothing else: the queue's entry is put off when
//! its time comes. So the cost of 100,000 heartbeats is that of 100,000 hash look-ups.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use guildhall_core::document::{DocumentKey, Object};
use guildhall_core::registry::health::{CheckOutcome, Lapse, Moment};
use guildhall_core::registry::{Catalog, Check, Instance};
use tokio::sync::Notify;

use super::CheckOptions;
use super::queue::{Due, Queue, What};
use super::watched::{Subject, Watched};
use crate::status::{Found, Transitions};

/// How many entries of the queue are looked at before others may use the board.
const STRIDE: usize = 2_048;

/// When a removal is asked for again that has not come about.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// All checks of one control plane.
pub(crate) struct Board {
    options: CheckOptions,
    inner: Mutex<Inner>,
    /// Told when something may be due sooner than it was.
    pub(super) sooner: Notify,
}

struct Inner {
    slots: Vec<Option<Watched>>,
    free: Vec<u32>,
    by_key: HashMap<DocumentKey, u32>,
    generation: u32,
    queue: Queue,
    /// Due checks that wait for others to end.
    ready: VecDeque<Due>,
    running: usize,
    checks: usize,
    random: fastrand::Rng,
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
    due: Due,
    subject: Subject,
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
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            generation: 0,
            queue: Queue::default(),
            ready: VecDeque::new(),
            running: 0,
            checks: 0,
            random: options
                .seed
                .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
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

    /// Puts an instance on the board as it is now, or takes it off if it has no checks.
    pub(crate) fn know(&self, instance: &Arc<Object<Instance>>, catalog: &Catalog, now: Moment) {
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
        let mut inner = self.lock();
        if inner.know(instance.key(), subject, &self.options, now) {
            self.sooner.notify_one();
        }
    }

    /// Takes an instance off the board.
    pub(super) fn forget(&self, key: &DocumentKey) {
        self.lock().forget(key);
    }

    /// Takes off the board what `keep` does not want.
    pub(super) fn retain(&self, keep: impl Fn(&DocumentKey) -> bool) {
        let mut inner = self.lock();
        let gone: Vec<DocumentKey> = inner
            .by_key
            .keys()
            .filter(|key| !keep(key))
            .cloned()
            .collect();
        gone.iter().for_each(|key| inner.forget(key));
    }

    /// Starts every machine afresh, at the state that is recorded: the duty was just taken up.
    pub(super) fn restart(&self, now: Moment) {
        let mut inner = self.lock();
        inner.queue.clear();
        inner.ready.clear();
        let subjects: Vec<_> = inner
            .slots
            .iter()
            .flatten()
            .map(|watched| watched.subject.clone())
            .collect();
        let keys: Vec<_> = inner.by_key.keys().cloned().collect();
        keys.iter().for_each(|key| inner.forget(key));
        for subject in subjects {
            inner.know(subject.instance.key(), subject, &self.options, now);
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
        let mut inner = self.lock();
        let Some(slot) = inner.by_key.get(key).copied() else {
            return Reported::Unknown;
        };
        let count = inner.slots[slot as usize]
            .as_ref()
            .map_or(0, |watched| watched.checks.len());
        for check in 0..count {
            if inner.slots[slot as usize]
                .as_ref()
                .is_some_and(|watched| watched.is_ttl(check))
            {
                self.record(
                    &mut inner,
                    slot,
                    check,
                    CheckOutcome::Passing,
                    "heartbeat",
                    transitions,
                    now,
                );
            }
        }
        Reported::Taken
    }

    /// Takes in what an instance says of one of its ttl checks.
    pub(crate) fn report(
        &self,
        key: &DocumentKey,
        check: &str,
        outcome: CheckOutcome,
        output: &str,
        transitions: &Transitions,
        now: Moment,
    ) -> Reported {
        let mut inner = self.lock();
        let slot = inner.by_key.get(key).copied();
        let Some((slot, watched)) =
            slot.and_then(|slot| Some((slot, inner.slots[slot as usize].as_ref()?)))
        else {
            return Reported::Unknown;
        };
        match watched.find(check) {
            Some((at, true)) => {
                self.record(&mut inner, slot, at, outcome, output, transitions, now);
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

    /// Gives a result to its machine. What that makes of it is noted while the board is locked,
    /// so that two results of one check cannot overtake each other.
    #[expect(
        clippy::too_many_arguments,
        reason = "one place for all three ways a result comes in"
    )]
    fn record(
        &self,
        inner: &mut Inner,
        slot: u32,
        at: usize,
        outcome: CheckOutcome,
        output: &str,
        transitions: &Transitions,
        now: Moment,
    ) {
        let Some(watched) = inner.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
            return;
        };
        let Some(check) = watched.checks.get_mut(at) else {
            return;
        };
        if let Some(transition) = check.machine.record(outcome, output, now) {
            transitions.note(
                &watched.subject.instance.key(),
                Found::Transition(transition),
            );
        }
        if inner.queue_deadline(slot, at) {
            self.sooner.notify_one();
        }
    }

    /// Does what is due: what time has brought about goes to `transitions`; the checks to run
    /// come back, and when to look again.
    pub(super) fn tick(
        &self,
        transitions: &Transitions,
        now: Moment,
    ) -> (Vec<Job>, Option<Instant>) {
        let mut inner = self.lock();
        for _ in 0..STRIDE {
            let Some(due) = inner.queue.pop(now.monotonic) else {
                break;
            };
            match due.what {
                What::Deadline => inner.lapse(due, transitions, now),
                What::Run => inner.ready.push_back(due),
            }
        }
        let mut jobs = Vec::new();
        while inner.running < self.options.concurrency
            && let Some(due) = inner.ready.pop_front()
        {
            jobs.extend(inner.start(due));
        }
        (jobs, inner.queue.next())
    }

    /// Takes in the result of a job that began at `started`.
    pub(super) fn finish(
        &self,
        job: &Job,
        outcome: CheckOutcome,
        output: &str,
        started: Instant,
        transitions: &Transitions,
        now: Moment,
    ) {
        let mut inner = self.lock();
        inner.running -= 1;
        inner.runs += 1;
        let Due { slot, check, .. } = job.due;
        if inner.resolve(&job.due).is_some() {
            let first = inner.finished(&job.due);
            self.record(
                &mut inner,
                slot,
                usize::from(check),
                outcome,
                output,
                transitions,
                now,
            );
            if let Some(schedule) = job.check().and_then(Check::schedule) {
                let interval = schedule.interval.get();
                // The second run comes after a random part of the interval: checks that began
                // together drift apart for good.
                let wait = if first {
                    inner.jitter(interval)
                } else {
                    interval
                };
                let at = (started + wait).max(now.monotonic);
                inner.queue.push(Due { at, ..job.due });
            }
        }
        self.sooner.notify_one();
    }

    /// A job that will not be run.
    pub(super) fn abandon(&self, job: &Job) {
        let mut inner = self.lock();
        inner.running -= 1;
        inner.finished(&job.due);
    }

    /// Puts every deadline off: the checker itself did not run for `lag`.
    pub(super) fn extend(&self, lag: Duration) {
        let mut inner = self.lock();
        inner.lag += lag;
        for watched in inner.slots.iter_mut().flatten() {
            watched
                .checks
                .iter_mut()
                .for_each(|check| check.machine.extend(lag));
        }
    }

    /// Whether anything waits that lag would be unfair to.
    pub(super) fn is_idle(&self) -> bool {
        self.lock().by_key.is_empty()
    }

    pub(crate) fn statistics(&self) -> CheckStatistics {
        let inner = self.lock();
        CheckStatistics {
            instances: inner.by_key.len(),
            checks: inner.checks,
            running: inner.running,
            waiting: inner.ready.len(),
            runs: inner.runs,
            lag: inner.lag,
        }
    }
}

impl Inner {
    /// Whether something may be due sooner than it was.
    fn know(
        &mut self,
        key: DocumentKey,
        subject: Subject,
        options: &CheckOptions,
        now: Moment,
    ) -> bool {
        if subject.checks().is_empty() {
            self.forget(&key);
            return false;
        }
        let slot = match self.by_key.get(&key).copied() {
            Some(slot) => {
                self.generation = self.generation.wrapping_add(1);
                let generation = self.generation;
                let Some(watched) = self.slots[slot as usize].as_mut() else {
                    return false;
                };
                if subject.instance.metadata.revision < watched.subject.instance.metadata.revision {
                    return false;
                }
                let before = watched.checks.len();
                if watched.renew(subject, now) {
                    return false;
                }
                // Whatever is in the queue for the checks as they were is void.
                watched.generation = generation;
                self.checks = self.checks - before + watched.checks.len();
                slot
            }
            None => {
                self.generation = self.generation.wrapping_add(1);
                let watched = Watched::new(self.generation, subject, now);
                self.checks += watched.checks.len();
                let slot = self.free.pop().unwrap_or_else(|| {
                    self.slots.push(None);
                    u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
                });
                self.slots[slot as usize] = Some(watched);
                self.by_key.insert(key, slot);
                slot
            }
        };
        self.schedule(slot, options, now);
        true
    }

    fn forget(&mut self, key: &DocumentKey) {
        if let Some(slot) = self.by_key.remove(key) {
            let watched = self.slots[slot as usize].take();
            self.checks -= watched.map_or(0, |watched| watched.checks.len());
            self.free.push(slot);
        }
    }

    /// Queues the first run and the deadline of each check.
    fn schedule(&mut self, slot: u32, options: &CheckOptions, now: Moment) {
        let Some(watched) = self.slots[slot as usize].as_ref() else {
            return;
        };
        let generation = watched.generation;
        let waits: Vec<Option<Duration>> = watched
            .subject
            .checks()
            .iter()
            .zip(&watched.checks)
            .map(|(check, watched)| {
                let interval = check.schedule()?.interval.get();
                let unknown =
                    watched.machine.state() == guildhall_core::registry::CheckState::Starting;
                // What is not known yet is wanted soon; what is, can wait its turn.
                Some(if unknown {
                    interval.min(options.first_within)
                } else {
                    interval
                })
            })
            .collect();
        for (at, wait) in waits.into_iter().enumerate() {
            if let Some(wait) = wait {
                let check = u16::try_from(at).unwrap_or(u16::MAX);
                let at = now.monotonic + self.jitter(wait);
                self.queue.push(Due {
                    at,
                    slot,
                    generation,
                    check,
                    what: What::Run,
                });
            }
            self.queue_deadline(slot, at);
        }
    }

    fn jitter(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }

    /// Makes sure that the machine is asked by its deadline; whether that needed a new entry.
    fn queue_deadline(&mut self, slot: u32, at: usize) -> bool {
        let Some(watched) = self.slots[slot as usize].as_mut() else {
            return false;
        };
        let Some(check) = watched.checks.get_mut(at) else {
            return false;
        };
        let Some(deadline) = check.machine.deadline() else {
            return false;
        };
        if check.queued.is_some_and(|queued| queued <= deadline) {
            return false;
        }
        check.queued = Some(deadline);
        let (generation, check) = (watched.generation, u16::try_from(at).unwrap_or(u16::MAX));
        self.queue.push(Due {
            at: deadline,
            slot,
            generation,
            check,
            what: What::Deadline,
        });
        true
    }

    /// The instance an entry is for, if it is still the one it was made for.
    fn resolve(&mut self, due: &Due) -> Option<&mut Watched> {
        let watched = self.slots.get_mut(due.slot as usize)?.as_mut()?;
        (watched.generation == due.generation).then_some(watched)
    }

    fn lapse(&mut self, due: Due, transitions: &Transitions, now: Moment) {
        let Some(watched) = self.resolve(&due) else {
            return;
        };
        let key = watched.subject.instance.key();
        let Some(check) = watched.checks.get_mut(usize::from(due.check)) else {
            return;
        };
        if check.queued != Some(due.at) {
            return;
        }
        check.queued = None;
        match check.machine.lapse(now) {
            Some(Lapse::Missed(transition)) => {
                transitions.note(&key, Found::Transition(transition))
            }
            Some(Lapse::Deregister) => {
                let at = now.monotonic + ASK_AGAIN;
                check.queued = Some(at);
                transitions.note(&key, Found::Overdue(check.machine.name().into()));
                self.queue.push(Due { at, ..due });
                return;
            }
            None => {}
        }
        self.queue_deadline(due.slot, usize::from(due.check));
    }

    fn start(&mut self, due: Due) -> Option<Job> {
        let watched = self.resolve(&due)?;
        let check = watched.checks.get_mut(usize::from(due.check))?;
        if std::mem::replace(&mut check.running, true) {
            return None;
        }
        let subject = watched.subject.clone();
        self.running += 1;
        Some(Job { due, subject })
    }

    /// Notes that a check has run; whether for the first time.
    fn finished(&mut self, due: &Due) -> bool {
        let check = self
            .resolve(due)
            .and_then(|watched| watched.checks.get_mut(usize::from(due.check)));
        check.is_some_and(|check| {
            check.running = false;
            !std::mem::replace(&mut check.ran, true)
        })
    }
}
