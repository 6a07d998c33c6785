//! The board's table: instances by slot, their machines, and what is due. Time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use guildhall_core::document::DocumentKey;
use guildhall_core::registry::CheckState;
use guildhall_core::registry::health::{CheckOutcome, Lapse, Moment};

use super::CheckOptions;
use super::board::Job;
use super::queue::{Due, Queue, What};
use super::watched::{Subject, Watched};
use crate::status::{Found, Transitions};

/// When a removal is asked for again that has not come about.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What a run or a report says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) outcome: CheckOutcome,
    pub(crate) output: &'a str,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) slots: Vec<Option<Watched>>,
    free: Vec<u32>,
    pub(super) by_key: HashMap<DocumentKey, u32>,
    generation: u32,
    pub(super) queue: Queue,
    /// Due checks that wait for others to end.
    pub(super) ready: VecDeque<Due>,
    pub(super) running: usize,
    pub(super) checks: usize,
    random: fastrand::Rng,
}

impl Table {
    pub(super) fn new(seed: Option<u64>) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_key: HashMap::new(),
            generation: 0,
            queue: Queue::default(),
            ready: VecDeque::new(),
            running: 0,
            checks: 0,
            random: seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed),
        }
    }

    /// Gives a result to its machine. What that makes of it is noted while the board is locked,
    /// so that two results of one check cannot overtake each other. Whether something may be due
    /// sooner than it was.
    pub(super) fn record(
        &mut self,
        slot: u32,
        at: usize,
        said: Said<'_>,
        transitions: &Transitions,
        now: Moment,
    ) -> bool {
        let Some(watched) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else {
            return false;
        };
        let Some(check) = watched.checks.get_mut(at) else {
            return false;
        };
        if let Some(transition) = check.machine.record(said.outcome, said.output, now) {
            transitions.note(
                &watched.subject.instance.key(),
                Found::Transition(transition),
            );
        }
        self.queue_deadline(slot, at)
    }

    /// Whether something may be due sooner than it was.
    pub(super) fn know(
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
                if subject.instance.metadata.revision < watched.revision {
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

    /// Takes whatever comes next for the instance as newer than what is known.
    pub(super) fn doubt(&mut self, key: &DocumentKey) {
        let slot = self.by_key.get(key).map(|slot| *slot as usize);
        if let Some(watched) = slot.and_then(|slot| self.slots[slot].as_mut()) {
            watched.revision = 0;
        }
    }

    pub(super) fn forget(&mut self, key: &DocumentKey) {
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
                let unknown = watched.machine.state() == CheckState::Starting;
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

    pub(super) fn jitter(&mut self, most: Duration) -> Duration {
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
    pub(super) fn resolve(&mut self, due: &Due) -> Option<&mut Watched> {
        let watched = self.slots.get_mut(due.slot as usize)?.as_mut()?;
        (watched.generation == due.generation).then_some(watched)
    }

    pub(super) fn lapse(&mut self, due: Due, transitions: &Transitions, now: Moment) {
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

    pub(super) fn start(&mut self, due: Due) -> Option<Job> {
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
    pub(super) fn finished(&mut self, due: &Due) -> bool {
        let check = self
            .resolve(due)
            .and_then(|watched| watched.checks.get_mut(usize::from(due.check)));
        check.is_some_and(|check| {
            check.running = false;
            !std::mem::replace(&mut check.ran, true)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use guildhall_core::document::{Kind, Metadata, Namespace, Object, Timestamp};
    use guildhall_core::registry::{Check, Instance, Probe, Schedule};

    use super::*;
    use crate::clock;

    /// When the first runs of 10,000 checks are due, in tenths of `span`.
    fn tenths(state: Option<CheckState>, span: Duration) -> [usize; 10] {
        let now = Moment {
            monotonic: clock::now(),
            wall: Timestamp(0),
        };
        let mut table = Table::new(Some(1));
        let mut spec = Instance::new("users".parse().unwrap(), "127.0.0.1", 80);
        spec.checks = vec![Check {
            name: "tcp".to_owned(),
            probe: Probe::Tcp {
                port: None,
                schedule: Schedule::default(),
            },
            initial_status: state,
            deregister_after: None,
        }];
        for number in 0..10_000 {
            let name = format!("users/u{number}");
            let metadata = Metadata::named(Namespace::default(), name.clone());
            let subject = Subject {
                instance: Arc::new(Object::new(metadata, spec.clone())),
                service: None,
            };
            let key = DocumentKey::new(Kind::Instance, Namespace::default(), name);
            table.know(key, subject, &CheckOptions::default(), now);
        }
        let mut tenths = [0; 10];
        while let Some(due) = table.queue.pop(now.monotonic + span) {
            let after = (due.at - now.monotonic).as_secs_f64() / span.as_secs_f64();
            tenths[((after * 10.0) as usize).min(9)] += 1;
        }
        tenths
    }

    #[test]
    fn ten_thousand_checks_do_not_run_together() {
        // As after a restart, when all states are known; and as all are new.
        let known = tenths(Some(CheckState::Passing), Duration::from_secs(10));
        let new = tenths(None, Duration::from_secs(1));
        for tenths in [known, new] {
            assert_eq!(tenths.iter().sum::<usize>(), 10_000, "{tenths:?}");
            assert!(
                tenths.iter().all(|count| (800..1200).contains(count)),
                "{tenths:?}"
            );
        }
    }

    #[test]
    fn the_usual_schedule_is_the_published_one() {
        let usual = Schedule::default();
        let seconds = (
            usual.interval.get().as_secs(),
            usual.timeout.get().as_secs(),
        );
        assert_eq!((seconds, usual.rise, usual.fall), ((10, 2), 1, 3));
    }
}
