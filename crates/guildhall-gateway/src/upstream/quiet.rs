//! A waker that is silent while its connection is being polled.
//!
//! hyper's connection and the answer it gives are joined by channels that wake each other. Here
//! one task polls both, one after the other, so that those wake-ups would only make it run again
//! for nothing (and, since a pooled connection remembers the task that used it last, make another
//! client's task run for nothing). Polled with this waker, a connection wakes the task that uses it
//! for what comes from outside, and is noted for what comes from within; whoever polls looks at
//! the note before it waits.
//!
//! Saves about two polls of a whole client connection per request.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Wake, Waker},
};

/// The waker of one connection.
#[derive(Debug)]
pub(super) struct Quiet {
    inner: Arc<Inner>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether the connection is being polled. One thread polls and wakes: the atomics are for
    /// the type, not for order.
    inside: AtomicBool,
    /// Whether it was woken from within since [`Quiet::enter`].
    noted: AtomicBool,
    /// The task that uses the connection.
    task: Mutex<Option<Waker>>,
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.inside.load(Relaxed) {
            self.noted.store(true, Relaxed);
        } else if let Some(task) = &*self.task.lock().unwrap_or_else(PoisonError::into_inner) {
            task.wake_by_ref();
        }
    }
}

impl Quiet {
    pub(super) fn new() -> Self {
        let inner = Arc::new(Inner::default());
        Self {
            waker: Waker::from(Arc::clone(&inner)),
            inner,
        }
    }

    /// The waker to poll the connection with.
    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Wake-ups from outside go to the task of `cx` from here on.
    pub(super) fn belong_to(&self, cx: &Context<'_>) {
        let mut task = self
            .inner
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(|task| !task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
    }

    /// Is silent until the guard is dropped.
    pub(super) fn enter(&self) -> Inside {
        self.inner.noted.store(false, Relaxed);
        self.inner.inside.store(true, Relaxed);
        Inside(Arc::clone(&self.inner))
    }
}

/// While it lives, the connection is being polled.
#[derive(Debug)]
pub(super) struct Inside(Arc<Inner>);

impl Inside {
    /// Whether something within asked to be polled again, since this was last asked.
    pub(super) fn noted(&self) -> bool {
        self.0.noted.swap(false, Relaxed)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn the_task_hears_of_what_comes_from_outside_only() {
        let task = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&task));
        let quiet = Quiet::new();
        quiet.waker().wake_by_ref();
        quiet.belong_to(&Context::from_waker(&waker));
        let inside = quiet.enter();
        quiet.waker().wake_by_ref();
        assert_eq!(
            (inside.noted(), inside.noted(), task.0.load(Relaxed)),
            (true, false, 0)
        );
        drop(inside);
        quiet.waker().wake_by_ref();
        assert_eq!(task.0.load(Relaxed), 1);
    }
}
