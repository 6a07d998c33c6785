//! What a process of the shop is told.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use guildhall::Service;

use crate::{Ledger, Record, ShopError};

/// How long an instance may be silent before the platform takes it for dead. The SDK's default of 15 s is for fleets;
/// who watches a demo should not have to wait.
pub const TTL: Duration = Duration::from_secs(5);

/// What a process of the shop is told. Each service has defaults of its own: [`users::options`](crate::users::options),
/// [`orders::options`](crate::orders::options).
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The platform's address; without one the service runs alone.
    pub platform: Option<String>,
    /// The instance's id, unique within the service; `host:port` if absent.
    pub instance: Option<String>,
    /// Where it keeps its file and what it knows of other services. Instances of one service share it.
    pub data_dir: PathBuf,
}

impl Options {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            platform: None,
            instance: None,
            data_dir: "shop-data".into(),
        }
    }

    /// How the instance calls itself in [`SERVED_BY`](crate::SERVED_BY).
    pub(crate) fn name(&self) -> String {
        self.instance
            .clone()
            .unwrap_or_else(|| self.listen.to_string())
    }

    /// Opens the service's file in the data directory.
    pub(crate) fn ledger<T: Record>(&self, file: &str) -> Result<Arc<Ledger<T>>, ShopError> {
        let path = self.data_dir.join(file);
        let opened = std::fs::create_dir_all(&self.data_dir).and_then(|()| Ledger::open(&path));
        opened
            .map(Arc::new)
            .map_err(|cause| ShopError::Data { path, cause })
    }

    /// A service with everything that does not depend on which one it is.
    pub(crate) fn service(&self, name: &str) -> Service {
        let mut service = Service::new(name, "1.0.0")
            .bind(&self.listen.to_string())
            .ttl(TTL)
            .cache_dir(
                self.data_dir
                    .join("cache")
                    .join(self.name().replace(':', "-")),
            );
        if let Some(platform) = &self.platform {
            service = service.platform(platform);
        }
        if let Some(instance) = &self.instance {
            service = service.instance_id(instance);
        }
        service
    }
}
