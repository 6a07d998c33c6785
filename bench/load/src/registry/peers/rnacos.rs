//! rnacos through the Nacos v1 API. Its filters are fewer (cluster, healthy only); its queries take those in turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use super::{Found, Registry, Running};
use crate::http::{get, with_body};
use crate::registry::fleet::{Filter, Instance};
use crate::rnacos;

struct Rnacos {
    program: PathBuf,
}

/// rnacos, if it is installed.
pub(super) fn find() -> Result<Found> {
    let program = rnacos::find()?;
    Ok((rnacos::version(&program), Arc::new(Rnacos { program })))
}

impl Registry for Rnacos {
    fn start(&self, dir: &Path) -> Result<Running> {
        let (server, address) = rnacos::start(&self.program, dir)?;
        Ok(Running { server, address })
    }

    fn register(&self, instance: Instance, into: &mut Vec<u8>) {
        // Nacos knows an instance by its address, and carries what Guildhall has fields for as metadata.
        let body = format!(
            "serviceName={}&ip={}&port=8080&clusterName={}&weight=1&ephemeral=true&metadata=\
             %7B%22version%22%3A%22{}%22%2C%22tag%22%3A%22{}%22%2C%22region%22%3A%22eu%22%2C%22mark%22%3A%22{}%22%2C\
             %22commit%22%3A%224f1c2e9%22%2C%22owner%22%3A%22payments%22%2C\
             %22started%22%3A%222026-01-01T00%3A00%3A00Z%22%7D",
            instance.service(),
            instance.host(),
            instance.zone(),
            instance.version(),
            instance.tag(),
            instance.mark(),
        );
        let form = "application/x-www-form-urlencoded";
        with_body(into, "POST", "/nacos/v1/ns/instance", form, &body);
    }

    fn register_live(&self, instance: Instance, _step: u64, into: &mut Vec<u8>) {
        // Its ephemeral instances live by heartbeats anyway.
        self.register(instance, into);
    }

    fn query(&self, service: &str, filter: Filter, into: &mut Vec<u8>) {
        let filter = match filter {
            Filter::Healthy => "&healthyOnly=true",
            Filter::Tag => "",
            Filter::Zone => "&clusters=z1",
            Filter::Version => "&clusters=z1&healthyOnly=true",
        };
        get(
            into,
            &format!("/nacos/v1/ns/instance/list?serviceName={service}{filter}"),
        );
    }

    fn watch(&self, _service: &str, _into: &mut Vec<u8>) -> bool {
        false
    }

    fn needle(&self, instance: Instance) -> Vec<u8> {
        instance.mark().into_bytes()
    }

    fn is_durable(&self) -> bool {
        false
    }
}
