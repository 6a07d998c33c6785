//! Repository chores: tidy, code generation, references, benchmarks.

fn main() {}
