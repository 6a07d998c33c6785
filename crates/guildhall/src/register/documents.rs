//! What is registered. Pure.

use std::{collections::BTreeMap, time::Duration};

use guildhall_core::{
    document::{Document, Metadata, Object, Period},
    registry::{
        Api, Check, CheckState, Contract, Dependency, Endpoint, Instance, Port, Probe, Protocol,
        Schedule, Service, ServiceVersion,
    },
};

use crate::identity::Identity;

/// The name of the check that the SDK's heartbeats pass.
pub(crate) const HEARTBEAT: &str = "heartbeat";

/// How the platform learns of this instance's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// By heartbeats: silence for this long is critical.
    Ttl(Duration),
    /// It asks `/health/ready` this often.
    Http(Duration),
    /// It asks `grpc.health.v1.Health` this often.
    #[cfg_attr(
        not(feature = "grpc"),
        expect(dead_code, reason = "set with the feature")
    )]
    Grpc(Duration),
}

/// What the author says of the service and this instance of it.
#[derive(Clone, Debug)]
pub(crate) struct Documents {
    pub(crate) description: Option<String>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) contract: Option<Contract>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) tags: Vec<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) zone: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) weight: u16,
    pub(crate) health: Health,
    pub(crate) deregister_after: Option<Duration>,
    /// Whether `/health` and `/metrics` are served.
    pub(crate) endpoints_served: bool,
    /// Whether the port speaks gRPC, too.
    pub(crate) grpc: bool,
}

impl Documents {
    /// The operators' document, written only if there is none: it is theirs.
    pub(crate) fn service(&self, identity: &Identity) -> Option<Document> {
        let spec = Service {
            description: Some(self.description.clone()?),
            ..Service::default()
        };
        Some(
            Object::new(
                Metadata::named(identity.namespace.clone(), identity.service.as_str()),
                spec,
            )
            .into(),
        )
    }

    /// What this version's code says of itself.
    pub(crate) fn version(&self, identity: &Identity) -> Document {
        let spec = ServiceVersion {
            api: Api {
                endpoints: self.endpoints.clone(),
            },
            contract: self.contract.clone(),
            dependencies: self.dependencies.clone(),
        };
        let name = format!("{}/{}", identity.service, identity.version);
        Object::new(Metadata::named(identity.namespace.clone(), name), spec).into()
    }

    /// This process. `well` is what its own checks say at present: it need not wait for the first
    /// check to be used.
    pub(crate) fn instance(
        &self,
        identity: &Identity,
        host: &str,
        port: u16,
        well: bool,
    ) -> Object<Instance> {
        let mut spec = Instance::new(identity.service.clone(), host, port);
        if self.grpc {
            // After the first, which is what is meant when none is named: routes and scrapes go by HTTP/1.1.
            spec.ports.push(Port {
                name: Some("grpc".to_owned()),
                port,
                protocol: Protocol::Grpc,
            });
        }
        spec.version = Some(identity.version.clone());
        spec.tags = self.tags.iter().map(|tag| tag.as_str().into()).collect();
        spec.metadata = self.metadata.clone().into();
        spec.zone = self.zone.as_deref().map(Into::into);
        spec.region = self.region.as_deref().map(Into::into);
        spec.weight = self.weight;
        spec.scrape = self.endpoints_served.then(Box::default);
        spec.checks = vec![self.check(well)];
        Object::new(
            Metadata::named(identity.namespace.clone(), identity.id.as_str()),
            spec,
        )
    }

    fn check(&self, well: bool) -> Check {
        let (name, probe) = match self.health {
            Health::Ttl(ttl) => (HEARTBEAT, Probe::Ttl { ttl: Period(ttl) }),
            Health::Http(interval) => {
                let interval = Period(interval);
                let probe = Probe::Http {
                    port: None,
                    path: "/health/ready".to_owned(),
                    headers: BTreeMap::new(),
                    expected_status: Vec::new(),
                    expected_body: None,
                    tls: None,
                    schedule: Schedule {
                        interval,
                        ..Schedule::default()
                    },
                };
                ("ready", probe)
            }
            Health::Grpc(interval) => {
                let interval = Period(interval);
                let probe = Probe::Grpc {
                    port: None,
                    service: String::new(),
                    tls: None,
                    schedule: Schedule {
                        interval,
                        ..Schedule::default()
                    },
                };
                ("ready", probe)
            }
        };
        Check {
            name: name.to_owned(),
            probe,
            initial_status: well.then_some(CheckState::Passing),
            deregister_after: self.deregister_after.map(Period),
        }
    }
}
