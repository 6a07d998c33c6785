//! Wakes the writer when something is due: a lease's end, a probe, unused blobs. One thread that sleeps until then, so
//! that an idle store costs nothing.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use super::clock;

/// When to wake the writer next.
#[derive(Default)]
pub(crate) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What the writer knows of; it sets this after every group.
    writer: Option<Instant>,
    /// What others ask for.
    others: Option<Instant>,
    stopped: bool,
}

impl State {
    fn next(&self) -> Option<Instant> {
        earlier(self.writer, self.others)
    }
}

/// The earlier of two times, either of which may be missing.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Alarm {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        let before = state.next();
        change(&mut state);
        // A later time need not wake the thread: it will find out when it wakes for the earlier one.
        let earlier = state
            .next()
            .is_some_and(|next| before.is_none_or(|before| next < before));
        if earlier || state.stopped {
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Sets the writer's own time.
    pub(crate) fn set(&self, at: Option<Instant>) {
        self.change(|state| state.writer = at);
    }

    /// Asks for a wake-up by `at`, besides what the writer wants.
    pub(crate) fn no_later_than(&self, at: Instant) {
        self.change(|state| state.others = earlier(state.others, Some(at)));
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        self.change(|state| state.stopped = true);
    }

    /// Starts the thread, which calls `ring` with the time it was due, until that says false or the alarm is stopped.
    pub(crate) fn start(
        self: &Arc<Self>,
        ring: impl Fn(Instant) -> bool + Send + 'static,
    ) -> io::Result<thread::JoinHandle<()>> {
        let alarm = Arc::clone(self);
        thread::Builder::new()
            .name("store-alarm".to_owned())
            .spawn(move || {
                while let Some(due) = alarm.wait() {
                    if !ring(due) {
                        break;
                    }
                }
            })
    }

    /// Waits for the next time and takes it; `None` when stopped.
    fn wait(&self) -> Option<Instant> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            let now = clock::now();
            state = match state.next() {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(due) if due <= now => {
                    state.writer = state.writer.filter(|at| *at > now);
                    state.others = state.others.filter(|at| *at > now);
                    return Some(due);
                }
                Some(due) => {
                    let waited = self.changed.wait_timeout(state, due - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}
