//! Guildhall's native API.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::{Found, Registry, Running, TTL};
use crate::guildhall;
use crate::http::get;
use crate::options::Options;
use crate::registry::fleet::{Filter, Instance};

struct Guildhall {
    binary: PathBuf,
}

/// The binary under test, if it is there.
pub(super) fn find(options: &Options) -> Result<Found> {
    let binary = guildhall::binary(options)
        .context("guildhall is not built (cargo build --release --package guildhall-server)")?;
    Ok((guildhall::version(&binary), Arc::new(Guildhall { binary })))
}

/// An instance's document, with more fields of the spec at its end; etcd keeps the same bytes.
pub(super) fn document(instance: Instance, more: &str) -> String {
    format!(
        concat!(
            r#"{{"apiVersion":"guildhall/v1","kind":"Instance","metadata":{{"name":"{id}"}},"spec":{{"#,
            r#""service":"{service}","host":"{host}","ports":[{{"name":"http","port":8080,"protocol":"http"}}],"#,
            r#""version":"{version}","zone":"{zone}","region":"eu","tags":["{tag}","blue"],"weight":100,"#,
            r#""metadata":{{"mark":"{mark}","commit":"4f1c2e9","owner":"payments","#,
            r#""started":"2026-01-01T00:00:00Z"}}{more}}}}}"#,
        ),
        id = instance.id(),
        service = instance.service(),
        host = instance.host(),
        version = instance.version(),
        zone = instance.zone(),
        tag = instance.tag(),
        mark = instance.mark(),
        more = more,
    )
}

fn path(instance: Instance) -> String {
    format!(
        "services/{}/instances/{}",
        instance.service(),
        instance.id()
    )
}

impl Registry for Guildhall {
    fn start(&self, dir: &Path) -> Result<Running> {
        let node = guildhall::control(&self.binary, dir)?;
        Ok(Running {
            server: node.server,
            address: node.api,
        })
    }

    fn register(&self, instance: Instance, into: &mut Vec<u8>) {
        guildhall::put(into, &path(instance), &document(instance, ""));
    }

    fn register_live(&self, instance: Instance, _step: u64, into: &mut Vec<u8>) {
        let check =
            format!(r#","checks":[{{"type":"ttl","ttl":"{TTL}s","deregisterAfter":"{TTL}s"}}]"#);
        guildhall::put(into, &path(instance), &document(instance, &check));
    }

    fn query(&self, service: &str, filter: Filter, into: &mut Vec<u8>) {
        let filter = match filter {
            Filter::Healthy => "",
            Filter::Tag => "?tag=canary",
            Filter::Zone => "?zone=z1",
            Filter::Version => "?version=1.1.0",
        };
        get(
            into,
            &format!("/api/v1/services/{service}/instances{filter}"),
        );
    }

    fn watch(&self, service: &str, into: &mut Vec<u8>) -> bool {
        get(
            into,
            &format!("/api/v1/services/{service}/instances?watch=true"),
        );
        true
    }

    fn needle(&self, instance: Instance) -> Vec<u8> {
        instance.mark().into_bytes()
    }

    fn is_durable(&self) -> bool {
        true
    }
}
