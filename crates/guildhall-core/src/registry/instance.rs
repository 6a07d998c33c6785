//! One running process of a service.

use serde::{Deserialize, Serialize};

use super::{Check, InstanceStatus};
use crate::document::{
    InstanceId, Kind, Metadata, NameError, Pointer, Problems, Remedies, Remedy, ServiceName,
    SharedText, Spec, StringMap, VersionName,
};

/// Where one process of a service listens and how to tell whether it is well.
///
/// Its id, unique within the service, is `metadata.name`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "InstanceForm", rename_all = "camelCase")]
pub struct Instance {
    /// The service it belongs to; the path gives it where the document does not.
    pub service: ServiceName,
    /// A host name or an IP address.
    pub host: String,
    /// Where it listens; the first is the default.
    pub ports: Vec<Port>,
    /// The version it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionName>,
    /// The failure domain it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<SharedText>,
    /// The region it runs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<SharedText>,
    /// Words to filter by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<SharedText>,
    /// Its share of the traffic beside its peers', 0 to 65535; 1 by default, 0 takes none.
    pub weight: u16,
    /// Anything else worth knowing or filtering by.
    #[serde(skip_serializing_if = "StringMap::is_empty")]
    pub metadata: StringMap,
    /// Where its metrics are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape: Option<Box<Scrape>>,
    /// How its health is known; without any, the service's default checks; without those it
    /// is healthy at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// A port an instance listens on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    /// How routes and checks refer to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// 1 to 65535.
    pub port: u16,
    /// What it speaks.
    #[serde(default)]
    pub protocol: Protocol,
}

/// What a port speaks.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1 in the clear.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
    /// HTTP/2 in the clear with prior knowledge.
    H2c,
    /// gRPC.
    Grpc,
    /// Any other TCP protocol.
    Tcp,
}

/// Where an instance's metrics are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scrape {
    /// The port; the instance's default if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The path; `/metrics` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `http` or `https`; `http` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<String>,
}

/// As written: `port` and `protocol` are shorthand for one port.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InstanceForm {
    #[serde(default)]
    service: ServiceName,
    host: String,
    #[serde(default)]
    port: Option<u16>,
    #[serde(default)]
    protocol: Option<Protocol>,
    #[serde(default)]
    ports: Vec<Port>,
    #[serde(default)]
    version: Option<VersionName>,
    #[serde(default)]
    zone: Option<SharedText>,
    #[serde(default)]
    region: Option<SharedText>,
    #[serde(default)]
    tags: Vec<SharedText>,
    #[serde(default = "one")]
    weight: u16,
    #[serde(default)]
    metadata: StringMap,
    #[serde(default)]
    scrape: Option<Scrape>,
    #[serde(default)]
    checks: Vec<Check>,
}

/// Decoding leaves room for four items where mostly one is: for a check that is half a kilobyte,
/// a hundred thousand times.
fn exact<T>(mut items: Vec<T>) -> Vec<T> {
    items.shrink_to_fit();
    items
}

fn one() -> u16 {
    1
}

impl TryFrom<InstanceForm> for Instance {
    type Error = &'static str;

    fn try_from(form: InstanceForm) -> Result<Self, Self::Error> {
        let ports = match (form.port, form.ports) {
            (Some(_), ports) if !ports.is_empty() => {
                return Err("give either ports or port, not both");
            }
            (Some(port), _) => vec![Port {
                name: None,
                port,
                protocol: form.protocol.unwrap_or_default(),
            }],
            (None, _) if form.protocol.is_some() => {
                return Err("protocol belongs to port; give it in each of ports");
            }
            (None, ports) => ports,
        };
        Ok(Self {
            service: form.service,
            host: form.host,
            ports: exact(ports),
            version: form.version,
            zone: form.zone,
            region: form.region,
            tags: exact(form.tags),
            weight: form.weight,
            metadata: form.metadata,
            scrape: form.scrape.map(Box::new),
            checks: exact(form.checks),
        })
    }
}

impl Port {
    /// The most ports an instance may have.
    pub const MAX: usize = 64;
}

impl Instance {
    /// The most tags an instance may have.
    pub const MAX_TAGS: usize = 256;
    /// The most entries of metadata an instance may have.
    pub const MAX_METADATA: usize = 256;

    /// An instance of `service` at `host:port`, speaking HTTP, without checks.
    pub fn new(service: ServiceName, host: impl Into<String>, port: u16) -> Self {
        Self {
            service,
            host: host.into(),
            ports: vec![Port {
                name: None,
                port,
                protocol: Protocol::Http,
            }],
            version: None,
            zone: None,
            region: None,
            tags: Vec::new(),
            weight: 1,
            metadata: StringMap::default(),
            scrape: None,
            checks: Vec::new(),
        }
    }

    /// The port that is meant when none is named.
    pub fn default_port(&self) -> Option<&Port> {
        self.ports.first()
    }
}

impl Spec for Instance {
    const KIND: Kind = Kind::Instance;
    type Status = InstanceStatus;

    const UNKNOWN_WORDS: Remedies = &[
        // Any protocol over TCP that is not known is just that. The port itself must stay: the
        // first is the default.
        ("/spec/protocol", Remedy::Read("tcp")),
        ("/spec/ports/*/protocol", Remedy::Read("tcp")),
        ("/spec/checks/*/type", Remedy::Omit("/spec/checks/*")),
        (
            "/spec/checks/*/initialStatus",
            Remedy::Omit("/spec/checks/*/initialStatus"),
        ),
        // The verdict stands beside it.
        ("/status/checks/*/state", Remedy::Omit("/status/checks/*")),
        (
            "/status/maintenance/mode",
            Remedy::Omit("/status/maintenance/mode"),
        ),
    ];

    fn check_name(name: &str) -> Result<(), NameError> {
        InstanceId::new(name).map(drop)
    }

    fn adopt(&mut self, metadata: &mut Metadata, key_name: &str) {
        let (service, id) = key_name.split_once('/').unwrap_or(("", key_name));
        if metadata.name.is_empty() {
            metadata.name = id.to_owned();
        }
        if let (true, Ok(service)) = (self.service.as_str().is_empty(), ServiceName::new(service)) {
            self.service = service;
        }
    }

    fn key_name(&self, metadata: &Metadata) -> String {
        [self.service.as_str(), "/", &metadata.name].concat()
    }

    fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        problems.check(
            !self.service.as_str().is_empty(),
            at.field("service"),
            "name the service the instance belongs to",
        );
        let host = !self.host.is_empty() && self.host.len() <= 253;
        let host = host
            && !self
                .host
                .contains(|c: char| c.is_whitespace() || c.is_control() || "/?#@".contains(c));
        problems.check(
            host,
            at.field("host"),
            "a host name or an IP address of 1 to 253 characters",
        );
        let ports = at.field("ports");
        let count = (1..=Port::MAX).contains(&self.ports.len());
        problems.check(count, ports, format_args!("give 1 to {} ports", Port::MAX));
        for (n, port) in self.ports.iter().take(Port::MAX).enumerate() {
            let at = ports.item(n);
            problems.check(port.port != 0, at.field("port"), "a port is 1 to 65535");
            let twice = port.name.is_some() && self.ports[..n].iter().any(|p| p.name == port.name);
            problems.check(!twice, at.field("name"), "two ports have this name");
        }
        let tags = self.tags.len() <= Self::MAX_TAGS;
        problems.check(
            tags,
            at.field("tags"),
            format_args!("at most {}", Self::MAX_TAGS),
        );
        let metadata = self.metadata.len() <= Self::MAX_METADATA;
        problems.check(
            metadata,
            at.field("metadata"),
            format_args!("at most {} entries", Self::MAX_METADATA),
        );
        for (field, place) in [("zone", &self.zone), ("region", &self.region)] {
            let given = place
                .as_ref()
                .is_none_or(|place| (1..=253).contains(&place.len()));
            problems.check(
                given,
                at.field(field),
                "1 to 253 characters; leave it out if there is none",
            );
        }
        if let Some(scrape) = &self.scrape {
            let at = at.field("scrape");
            problems.check(
                scrape.port != Some(0),
                at.field("port"),
                "a port is 1 to 65535",
            );
            let path = scrape
                .path
                .as_ref()
                .is_none_or(|path| path.starts_with('/'));
            problems.check(path, at.field("path"), "begins with /");
            let scheme = scrape
                .scheme
                .as_ref()
                .is_none_or(|scheme| scheme == "http" || scheme == "https");
            problems.check(scheme, at.field("scheme"), "http or https");
        }
        Check::validate_all(&self.checks, &at.field("checks"), problems);
    }
}
