//! Test doubles: files that lose what was not synced, and processes to be killed.

pub mod files;
pub mod process;
