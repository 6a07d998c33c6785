//! A real etcd, so that the suite is known to ask for nothing that only our engine does.
//!
//! [`Server`] is a process of its own on free ports; [`EtcdJson`] is a `Store` over its v3 JSON gateway, good enough to
//! judge the contract and no more: it is no engine.

mod base64;
mod client;
mod http;
mod server;
mod watch;

pub(crate) use client::EtcdJson;
pub(crate) use server::Server;
