//! The Guildhall platform: settings, roles, the native API, the command line.
//!
//! The binary `guildhall` is this library's [`run`]; tests and examples start the platform in their own process with
//! [`Platform::builder`]. This crate alone wires the others together: nothing here decides what a document means or how
//! traffic flows.

mod auth;
mod cli;
mod clock;
mod demo;
mod http;
mod logging;
mod node;
mod platform;
mod reload;
mod serve;
pub mod settings;
mod table;
mod text_diff;
mod tls;

pub use cli::run;
pub use platform::{Addresses, Platform, PlatformBuilder, StartError};
