//! etcd's side: puts through its JSON gateway, each answered after etcd's own sync.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::{KEYS, VALUE};
use crate::etcd;
use crate::load::Plan;
use crate::window::{self, Sample};

/// A bound on one window's puts.
const MOST: u64 = 10_000_000;

/// One turn on an empty member.
pub(super) fn turn(
    dir: &Path,
    clients: usize,
    window: Duration,
    wrapper: Vec<OsString>,
) -> Result<Sample> {
    let (server, address) = etcd::start(&etcd::find()?, dir, wrapper)?;
    let plan = Plan {
        address,
        connections: clients,
        duration: window,
        requests: MOST,
        steps: 1,
        core: None,
    };
    let value = vec![b'v'; VALUE];
    let request =
        move |number: u64, bytes: &mut Vec<u8>| etcd::put(bytes, &key(number), &value, None);
    window::measure(&server, plan, request, |reply| reply.is_success())
}

/// The key of the n-th put: all keys in an order that jumps.
pub(super) fn key(number: u64) -> String {
    format!("bench/{:06}", number * 7919 % KEYS)
}
