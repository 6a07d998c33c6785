//! The log as its owners see it: what it keeps, what it refuses, and what survives a power loss.

mod checkpoint;
mod committer;
mod damage;
mod faults;
mod lock;
mod power_loss;
mod reader;
mod segments;
mod support;
mod torn;
