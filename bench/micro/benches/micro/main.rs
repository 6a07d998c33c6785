//! Ours beside their peers, one file per pattern. `-- WORD…` runs the groups whose names contain a word.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "the clock's own cost is part of what is measured, and a benchmark may end at what it does not expect"
)]

mod balance;
mod breaker;
mod limiter;
mod limits;
mod retry;

fn main() -> std::io::Result<()> {
    balance::run();
    breaker::run();
    limiter::run();
    limits::run();
    retry::run();
    guildhall_bench_micro::finish()
}
