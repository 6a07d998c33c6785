//! Load harness: each subsystem beside its peers in one run.

fn main() {}
