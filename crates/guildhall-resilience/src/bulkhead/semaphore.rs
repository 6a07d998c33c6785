//! The semaphore: one word that holds how many are under way and how many wait.
//!
//! As long as nobody waits, entering and leaving are one compare-and-set each. While somebody waits the word changes
//! under the queue's lock only: nobody can enter past the queue, and whoever leaves has to hand the place over.

use std::ops::Deref;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::permit::{Entry, Permit, Ticket, Wakeup};
use super::queue::{Position, Queue};
use super::{BulkheadConfig, Reason, Refusal};
use crate::sync::atomic::{
    AtomicU32, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};
use crate::sync::{Mutex, lock};

/// Requests under way, above; waiters, below.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    const ONE: u64 = 1 << 32;

    fn in_flight(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn queued(self) -> u32 {
        self.0 as u32
    }
}

/// How many requests are under way and how many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkheadStats {
    /// Requests under way, those included that were handed a place and have not noticed yet.
    pub in_flight: u32,
    /// Requests that wait.
    pub queued: u32,
}

/// So many requests at once, and a bounded queue before them. `W` is what a waiter is woken with.
///
/// ```
/// use guildhall_resilience::bulkhead::{Bulkhead, BulkheadConfig, Entry, Progress};
/// use std::time::{Duration, Instant};
///
/// let config = BulkheadConfig::new(1)?.with_queue(1, Duration::from_secs(1))?;
/// // Woken with nothing: this example asks again by itself.
/// let bulkhead: Bulkhead<()> = Bulkhead::new(config);
/// let now = Instant::now();
/// let Entry::Admitted(first) = Bulkhead::enter(&bulkhead, None, now, || ())? else { panic!() };
/// let Entry::Queued(mut second) = Bulkhead::enter(&bulkhead, None, now, || ())? else { panic!() };
/// assert!(Bulkhead::enter(&bulkhead, None, now, || ()).is_err());
/// assert!(matches!(second.poll(now, || ()), Progress::Waiting));
/// drop(first);
/// assert!(matches!(second.poll(now, || ()), Progress::Admitted(_)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[repr(align(64))]
pub struct Bulkhead<W = Waker> {
    word: AtomicU64,
    max_concurrent: AtomicU32,
    waiting: Mutex<Waiting<W>>,
}

#[derive(Debug)]
struct Waiting<W> {
    queue: Queue<W>,
    config: BulkheadConfig,
}

impl<W: Wakeup> Bulkhead<W> {
    /// An empty bulkhead.
    pub fn new(config: BulkheadConfig) -> Self {
        Self {
            word: AtomicU64::new(0),
            max_concurrent: AtomicU32::new(config.max_concurrent()),
            waiting: Mutex::new(Waiting {
                queue: Queue::new(),
                config,
            }),
        }
    }

    /// A place, or a place in the queue until `deadline` (and at most the longest wait). `wake` makes what the waiter is
    /// woken with; it is asked only then.
    ///
    /// # Errors
    /// [`Refusal`] if the queue is full too, or the deadline is over.
    pub fn enter<B: Deref<Target = Self>>(
        this: B,
        deadline: Option<Instant>,
        now: Instant,
        wake: impl FnOnce() -> W,
    ) -> Result<Entry<B, W>, Refusal> {
        if this.try_enter() {
            return Ok(Entry::Admitted(Permit::new(this)));
        }
        match this.line_up(deadline, now, wake)? {
            None => Ok(Entry::Admitted(Permit::new(this))),
            Some(position) => Ok(Entry::Queued(Ticket::new(this, position))),
        }
    }

    /// Takes a place if one is free and nobody waits for it.
    fn try_enter(&self) -> bool {
        let mut word = Word(self.word.load(Relaxed));
        while word.queued() == 0 && word.in_flight() < self.max_concurrent.load(Relaxed) {
            let to = word.0 + Word::ONE;
            match self.word.compare_exchange_weak(word.0, to, AcqRel, Relaxed) {
                Ok(_) => return true,
                Err(other) => word = Word(other),
            }
        }
        false
    }

    /// A place in the queue; `None` if there was a place after all.
    #[cold]
    fn line_up(
        &self,
        deadline: Option<Instant>,
        now: Instant,
        wake: impl FnOnce() -> W,
    ) -> Result<Option<Position>, Refusal> {
        let mut waiting = lock(&self.waiting);
        let config = waiting.config;
        let refuse = |reason| Refusal {
            reason,
            max_concurrent: config.max_concurrent(),
        };
        let latest = now
            .checked_add(config.max_wait())
            .unwrap_or_else(|| far(now));
        let deadline = deadline.map_or(latest, |deadline| deadline.min(latest));
        loop {
            if self.try_enter() {
                return Ok(None);
            }
            let word = Word(self.word.load(Relaxed));
            if word.queued() >= config.max_queued() {
                return Err(refuse(Reason::Full));
            }
            if deadline <= now {
                return Err(refuse(Reason::TooLate));
            }
            if word.queued() == 0 && word.in_flight() < config.max_concurrent() {
                continue;
            }
            // Fails if somebody left meanwhile, which those do without the lock while nobody waits.
            if self
                .word
                .compare_exchange(word.0, word.0 + 1, AcqRel, Relaxed)
                .is_ok()
            {
                return Ok(Some(waiting.queue.push(wake(), deadline)));
            }
        }
    }

    /// Gives a place up: to the first that waits, which is returned and has to be woken, or to nobody.
    pub(super) fn leave(&self) -> Option<W> {
        let mut word = Word(self.word.load(Relaxed));
        loop {
            while word.queued() == 0 {
                let to = word.0 - Word::ONE;
                match self.word.compare_exchange_weak(word.0, to, AcqRel, Relaxed) {
                    Ok(_) => return None,
                    Err(other) => word = Word(other),
                }
            }
            let mut waiting = lock(&self.waiting);
            word = Word(self.word.load(Acquire));
            if word.queued() == 0 {
                // The last waiter went while this one waited for the lock.
                continue;
            }
            if word.in_flight() > waiting.config.max_concurrent() {
                // There are fewer places than there were.
                self.word.fetch_sub(Word::ONE, AcqRel);
                return None;
            }
            self.word.fetch_sub(1, AcqRel);
            return waiting.queue.pop();
        }
    }

    /// Where a waiter stands: `None` if it waits on, else whether it has a place. If its deadline is over, it has none,
    /// and a place that it was handed goes to the next.
    pub(super) fn progress(
        &self,
        position: &Position,
        now: Instant,
        wake: impl FnOnce() -> W,
    ) -> Option<bool> {
        let late = now >= position.deadline;
        // Declared before the lock, so that it is dropped after it is given up.
        let _old;
        let mut waiting = lock(&self.waiting);
        if waiting.queue.waits(position) {
            if !late {
                _old = waiting.queue.set_wake(position, wake());
                return None;
            }
            _old = waiting.queue.remove(position);
            self.word.fetch_sub(1, AcqRel);
            return Some(false);
        }
        drop(waiting);
        if late && let Some(next) = self.leave() {
            next.wake();
        }
        Some(!late)
    }

    /// A waiter gives up. Returns who is to be woken if it had been handed a place.
    pub(super) fn cancel(&self, position: &Position) -> Option<W> {
        let _old;
        let mut waiting = lock(&self.waiting);
        _old = waiting.queue.remove(position);
        if _old.is_some() {
            self.word.fetch_sub(1, AcqRel);
            return None;
        }
        drop(waiting);
        self.leave()
    }

    /// Another size from now on (see the table in the [module](super)); wakes those who got a place by it.
    pub fn reconfigure(&self, config: BulkheadConfig) {
        let mut woken = Vec::new();
        {
            let mut waiting = lock(&self.waiting);
            waiting.config = config;
            self.max_concurrent.store(config.max_concurrent(), Relaxed);
            let mut word = Word(self.word.load(Acquire));
            // While somebody waits, the word changes under this lock only.
            while word.queued() > 0 && word.in_flight() < config.max_concurrent() {
                word.0 = self.word.fetch_add(Word::ONE - 1, AcqRel) + Word::ONE - 1;
                woken.extend(waiting.queue.pop());
            }
        }
        woken.into_iter().for_each(Wakeup::wake);
    }

    /// The size.
    pub fn config(&self) -> BulkheadConfig {
        lock(&self.waiting).config
    }

    /// How many are in it.
    pub fn stats(&self) -> BulkheadStats {
        let word = Word(self.word.load(Relaxed));
        BulkheadStats {
            in_flight: word.in_flight(),
            queued: word.queued(),
        }
    }

    pub(super) fn refusal(&self) -> Refusal {
        Refusal {
            reason: Reason::TooLate,
            max_concurrent: self.max_concurrent.load(Relaxed),
        }
    }
}

/// As good as never: a year.
fn far(now: Instant) -> Instant {
    now + Duration::from_secs(365 * 24 * 3600)
}
