//! GCRA and the keyed limiter beside governor's.

/// Every group of this file.
pub(crate) fn run() {
    if guildhall_bench_micro::wanted("limiter") {}
}
