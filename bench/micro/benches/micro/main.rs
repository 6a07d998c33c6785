//! Ours beside their peers, one file per pattern. `-- WORD…` runs the groups whose names contain a word.

#![expect(
    clippy::disallowed_methods,
    reason = "the clock's own cost is part of what is measured"
)]

mod breaker;
mod limiter;

fn main() {
    breaker::run();
    limiter::run();
}
