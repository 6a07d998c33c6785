//! The Guildhall platform: settings, roles, the native API, the command line.
//!
//! The binary `guildhall` is this library's [`run`]; tests and examples start the platform in their own process.
//! This crate alone wires the others together: nothing here decides what a document means or how traffic flows.

mod auth;
mod clock;
mod http;
mod reload;
pub mod settings;
mod tls;
