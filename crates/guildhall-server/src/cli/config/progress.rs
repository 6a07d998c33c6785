//! How far a command over many files is, on a terminal only.

use std::{
    cell::Cell,
    io::{IsTerminal, Write},
};

/// From how many files on progress is shown.
const MANY: usize = 50;

/// Counts what is done, on the last line of a terminal; nothing where no one looks.
pub(super) struct Progress {
    what: &'static str,
    all: usize,
    done: Cell<usize>,
    shown: bool,
}

impl Progress {
    /// Of `all` files none is `what` yet.
    pub(super) fn new(what: &'static str, all: usize) -> Self {
        Self {
            what,
            all,
            done: Cell::new(0),
            shown: all >= MANY && std::io::stderr().is_terminal(),
        }
    }

    /// One more is done.
    pub(super) fn step(&self) {
        let done = self.done.get() + 1;
        self.done.set(done);
        if self.shown && (done.is_multiple_of(10) || done == self.all) {
            // Nothing can be done when not even this can be written.
            let _ = write!(
                std::io::stderr().lock(),
                "\r{done} of {} files {}",
                self.all,
                self.what
            );
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            // The line is free for what comes next.
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}
