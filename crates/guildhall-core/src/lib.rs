//! Guildhall's documents, indexes and decisions.
//!
//! Pure and synchronous: no async runtime, no clock, no IO, no randomness of its own. Time is an
//! argument. The control plane, the gateway, the SDK and the command line all read the same
//! documents through this crate, so that they cannot disagree about what a document means.
//!
//! - [`document`]: what every document has in common: names, metadata, strict decoding, keys.
//! - [`registry`]: services, versions, instances; the catalog, discovery, graph, contracts.
//! - [`route`]: Gateway API routes and how a request finds its backend.
//! - [`history`]: the versions of a document.
//! - [`policy`]: resilience rules as documents, merged and compiled.
//! - [`config`]: configuration of many formats: parsed with positions, compared, merged, sealed.
//! - [`access`]: who asks, and whether they may.
//! - [`source`]: how changes of documents reach whoever keeps a snapshot of them.
//!
//! # Features
//!
//! None is on by default: who only reads documents, as the gateway does, carries no parser and no cipher.
//!
//! | feature | turns on | brings |
//! |---|---|---|
//! | `config` | `config::format`, `config::merge`: contents are read, laid over each other and rendered | granit-parser, toml |
//! | `config-diff` | `config`, and `config::diff`: what leads from one content to another | similar |
//! | `config-import` | `config`, and `config::{bundle, import}`: folders, archives, other systems' exports | base64 |
//! | `schema` | `config`, and `config::schema`: JSON Schemas | jsonschema |
//! | `seal` | `config`, and `config::seal`: values are sealed and opened | base64, chacha20poly1305, zeroize |

pub mod access;
pub mod config;
pub mod document;
pub mod hex;
pub mod history;
pub mod policy;
pub mod registry;
pub mod route;
pub mod source;
