//! What the author has set, before it is checked.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use axum::Router;
use guildhall_api::client::ClientOptions;
use guildhall_core::document::{Document, InstanceId, Namespace, ServiceName, VersionName};

use crate::{
    ServiceError, clock,
    health::{Checks, DEFAULT_LIMIT_MB},
    identity::Identity,
    register::{Documents, Health},
};

/// Where the platform is.
pub(super) enum Platform {
    /// Where `GUILDHALL_SERVER` says, if it says.
    Environment,
    /// Here.
    Given(ClientOptions),
    /// Nowhere: the service runs alone.
    None,
}

impl Platform {
    /// The options of the client, if there is a platform.
    pub(super) fn options(&self) -> Option<ClientOptions> {
        let set = || std::env::var("GUILDHALL_SERVER").is_ok_and(|value| !value.trim().is_empty());
        match self {
            Self::Environment => set().then(ClientOptions::from_env),
            Self::Given(options) => Some(options.clone()),
            Self::None => None,
        }
    }
}

pub(super) struct Settings {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) id: Option<String>,
    pub(super) namespace: Namespace,
    pub(super) address: SocketAddr,
    pub(super) host: Option<String>,
    pub(super) router: Router,
    #[cfg(feature = "grpc")]
    pub(super) grpc: crate::grpc::Services,
    pub(super) documents: Documents,
    pub(super) checks: Checks,
    pub(super) memory_limit: u64,
    pub(super) platform: Platform,
    pub(super) propagation: Duration,
    pub(super) drain: Duration,
    pub(super) max_connections: usize,
    pub(super) cache: Option<PathBuf>,
    /// Where the Redis is; the environment says if the author does not.
    #[cfg(feature = "redis")]
    pub(super) redis: Option<String>,
    problems: Vec<String>,
}

impl Settings {
    pub(super) fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            id: None,
            namespace: Namespace::default(),
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            host: None,
            router: Router::new(),
            #[cfg(feature = "grpc")]
            grpc: crate::grpc::Services::default(),
            documents: Documents {
                description: None,
                endpoints: Vec::new(),
                contract: None,
                dependencies: Vec::new(),
                tags: Vec::new(),
                metadata: BTreeMap::new(),
                zone: None,
                region: None,
                weight: 1,
                health: Health::Ttl(Duration::from_secs(15)),
                deregister_after: Some(Duration::from_secs(600)),
                endpoints_served: true,
                grpc: false,
            },
            checks: Checks::default(),
            memory_limit: DEFAULT_LIMIT_MB,
            platform: Platform::Environment,
            propagation: Duration::from_secs(1),
            drain: Duration::from_secs(30),
            max_connections: 10_000,
            cache: cache_folder(),
            #[cfg(feature = "redis")]
            redis: None,
            problems: Vec::new(),
        }
    }

    /// Who counts rate limits of scope `Exact`, if somebody does.
    #[cfg(feature = "redis")]
    pub(super) fn redis(&mut self) -> Option<guildhall_resilience::limiter::redis::RedisConfig> {
        use guildhall_resilience::limiter::redis::RedisConfig;
        let set = || std::env::var("GUILDHALL_REDIS_URL").ok();
        let url = self.redis.clone().or_else(set)?;
        let url = url.trim();
        if url.is_empty() {
            return None;
        }
        match RedisConfig::new(url) {
            Ok(config) => Some(config),
            Err(error) => {
                self.problem(format!("redis: {error}"));
                None
            }
        }
    }

    /// Notes what is wrong, to be told at the start.
    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// Checks everything that can be checked before anything is done. `host` is where others reach
    /// this process.
    pub(super) fn identity(
        &self,
        host: &str,
        port: u16,
        more: Vec<String>,
    ) -> Result<Identity, ServiceError> {
        let mut problems = self.problems.clone();
        problems.extend(more);
        let mut note =
            |what: &str, error: &dyn std::fmt::Display| problems.push(format!("{what}: {error}"));
        let name = ServiceName::new(&self.name)
            .map_err(|error| note("name", &error))
            .ok();
        if name.as_ref().is_some_and(|name| !name.is_native()) {
            note(
                "name",
                &format!(
                    "{:?} is not a DNS-1123 name: use lower-case letters, digits and '-'",
                    self.name
                ),
            );
        }
        let version = VersionName::new(&self.version)
            .map_err(|error| note("version", &error))
            .ok();
        let id = self
            .id
            .clone()
            .unwrap_or_else(|| format!("{}:{port}", host.trim_matches(['[', ']'])));
        let id = InstanceId::new(&id)
            .map_err(|error| note("instance_id", &error))
            .ok();
        if let (Some(service), Some(version), Some(id)) = (name, version, id) {
            let namespace = self.namespace.clone();
            let identity = Identity {
                namespace,
                service,
                version,
                id,
                started: clock::now(),
            };
            let instance = Document::from(self.documents.instance(&identity, host, port, true));
            problems.extend(problems_of("instance", &instance));
            problems.extend(problems_of("version", &self.documents.version(&identity)));
            if problems.is_empty() {
                return Ok(identity);
            }
        }
        Err(ServiceError::Settings(problems))
    }
}

/// Everything that is wrong with a document.
fn problems_of(what: &str, document: &Document) -> Vec<String> {
    let problems = document.validate().err().unwrap_or_default();
    problems
        .0
        .iter()
        .map(|problem| format!("{what}{}: {}", problem.pointer, problem.detail))
        .collect()
}

/// Where copies are kept if the author does not say: only in a folder that is the user's own.
fn cache_folder() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("guildhall"))
}
