//! `guildhall demo`: the shop with a platform and a gateway node, all as processes of this machine, and a story that
//! shows what holds when one of them dies.
//!
//! - [`cast`]: which processes there are and how each is started; [`child`] is one of them, [`places`] where they live.
//! - [`story`]: what happens, one file per chapter. Each says what it checks, and [`report`] prints it as it goes.
//! - [`traffic`], [`http`], [`wait`]: steady requests that are counted, single ones, and waiting for a condition.
//! - [`play`]: the whole evening, from the empty stage to the last process's end.
//! - [`service`]: the hidden command that a shop's process runs.
//!
//! The demo knows of the platform what any user knows: its commands, its API and its gateway.

mod arguments;
mod cast;
mod child;
mod farewell;
mod http;
mod picture;
mod places;
mod play;
mod report;
mod service;
mod story;
mod traffic;
mod wait;

use std::process::ExitCode;

pub(crate) use arguments::Arguments;

/// Runs the demo, or the hidden command of one of its processes.
pub(crate) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match arguments.part {
        Some(part) => service::run(part),
        None => play::run(arguments),
    }
}
