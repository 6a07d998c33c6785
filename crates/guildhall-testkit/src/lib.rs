//! Test doubles: files that lose what was not synced, processes to be killed, and a Redis.

pub mod files;
pub mod process;
pub mod redis;
