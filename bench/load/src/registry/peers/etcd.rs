//! etcd as a registry: an instance is a key under its service's prefix, discovery a range over it. It cannot filter;
//! its clients would, and that is not charged to it. What keeps an instance alive is a lease, which is granted first, as
//! etcd's own naming library does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use super::{Found, Registry, Running, TTL, guildhall};
use crate::etcd;
use crate::http::base64;
use crate::registry::fleet::{Filter, Instance};

struct Etcd {
    program: PathBuf,
}

/// etcd, if it is installed.
pub(super) fn find() -> Result<Found> {
    let program = etcd::find()?;
    Ok((etcd::version(&program), Arc::new(Etcd { program })))
}

fn prefix(service: &str) -> String {
    format!("instances/{service}/")
}

/// The key and the value of an instance.
fn entry(instance: Instance) -> (String, String) {
    (
        format!("{}{}", prefix(&instance.service()), instance.id()),
        format!("{}{}", instance.mark(), guildhall::document(instance, "")),
    )
}

impl Registry for Etcd {
    fn start(&self, dir: &Path) -> Result<Running> {
        let (server, address) = etcd::start(&self.program, dir, Vec::new())?;
        Ok(Running { server, address })
    }

    fn register(&self, instance: Instance, into: &mut Vec<u8>) {
        let (key, value) = entry(instance);
        etcd::put(into, &key, value.as_bytes(), None);
    }

    fn register_live(&self, instance: Instance, step: u64, into: &mut Vec<u8>) {
        // The lease's id is the client's to choose, so that the put need not wait to learn it.
        let lease = instance.number + 1;
        if step == 0 {
            etcd::grant(into, lease, TTL);
        } else {
            let (key, value) = entry(instance);
            etcd::put(into, &key, value.as_bytes(), Some(lease));
        }
    }

    fn live_steps(&self) -> u64 {
        2
    }

    fn query(&self, service: &str, _filter: Filter, into: &mut Vec<u8>) {
        etcd::range(into, &prefix(service));
    }

    fn watch(&self, service: &str, into: &mut Vec<u8>) -> bool {
        etcd::watch(into, &prefix(service));
        true
    }

    fn needle(&self, instance: Instance) -> Vec<u8> {
        // With what stands before it: the document inside the value holds the mark, too.
        format!("\"value\":\"{}", base64(instance.mark().as_bytes())).into_bytes()
    }

    fn is_durable(&self) -> bool {
        true
    }
}
