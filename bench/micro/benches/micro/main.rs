//! Ours beside their peers, one file per pattern. `-- WORD…` runs the groups whose names contain a word.

mod limiter;

fn main() {
    limiter::run();
}
