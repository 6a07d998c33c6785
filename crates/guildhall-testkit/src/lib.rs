//! Test doubles: manual clock, seeded randomness, faulty files, fake upstreams, process harness.

pub mod files;
pub mod process;
