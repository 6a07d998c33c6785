//! A running platform, and its end.

use std::{path::Path, sync::Arc};

use guildhall_api::wire::Status;
use guildhall_core::{document::Index, registry::Statistics};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::{Addresses, Plane, PlatformBuilder, StartError, claim::Claim, plane, traffic::Traffic};
use crate::{
    http::{Api, status_of},
    node::Stage,
    settings::Settings,
};

/// A platform in this process: a control plane, a gateway, or both, with the API.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let platform = guildhall_server::Platform::builder().data_dir("/tmp/guildhall").start().await?;
/// println!("the API is at {:?}", platform.addresses().api);
/// platform.stop().await;
/// # Ok(())
/// # }
/// ```
pub struct Platform {
    parts: Parts,
}

/// What there is to stop.
pub(super) struct Parts {
    pub(super) settings: Settings,
    pub(super) addresses: Addresses,
    pub(super) api: Arc<Api>,
    pub(super) plane: Option<Arc<Plane>>,
    pub(super) gateway: Option<Traffic>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) serving: JoinHandle<()>,
    pub(super) tasks: JoinSet<()>,
    /// Says that files are to be looked at now.
    pub(super) reload: watch::Sender<()>,
    /// Let go last: until then the data directory is this node's.
    pub(super) claim: Claim,
}

impl Platform {
    /// A platform to be started.
    pub fn builder() -> PlatformBuilder {
        PlatformBuilder::default()
    }

    pub(super) fn new(parts: Parts) -> Self {
        Self { parts }
    }

    /// Where it listens.
    pub fn addresses(&self) -> &Addresses {
        &self.parts.addresses
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    /// How it is, as `GET /api/v1/status` tells.
    pub fn status(&self) -> Status<Statistics> {
        status_of(&self.parts.api)
    }

    /// Looks at the token file and the certificate now, instead of when they are due (`auth.reload`, `api.tls_reload`).
    pub fn reload(&self) {
        self.parts.reload.send_replace(());
    }

    /// Replaces everything in the data directory of a node that is not running by a snapshot, and says at which index
    /// it goes on. A snapshot that is not whole changes nothing; the store from before is kept beside the new one.
    ///
    /// # Errors
    /// The directory is in use, the snapshot cannot be read, or the system says no.
    pub fn restore(
        data_dir: impl AsRef<Path>,
        snapshot: impl AsRef<Path>,
    ) -> Result<Index, StartError> {
        let directory = data_dir.as_ref();
        let _claim = Claim::take(directory)?;
        Ok(plane::restore_stopped(directory, snapshot.as_ref())?.index)
    }

    /// Stops in order: not ready any more, traffic drained, calls under way finished, the store closed. Each step has a
    /// deadline (`server.shutdown_timeout`).
    pub async fn stop(self) {
        let Parts {
            settings,
            addresses: _,
            api,
            plane,
            gateway,
            stop,
            serving,
            mut tasks,
            reload: _reload,
            claim: _claim,
        } = self.parts;
        api.node.enter(Stage::Stopping);
        let deadline = settings.server.shutdown_timeout.get();
        if let Some(gateway) = gateway {
            gateway.stop(deadline).await;
        }
        stop.send_replace(true);
        if let Some(plane) = &plane {
            // Ends the watches, which would otherwise keep their connections until the deadline.
            plane.hush().await;
        }
        if let Err(error) = serving.await {
            tracing::error!(%error, "the API's listener failed");
        }
        if let Some(plane) = plane {
            plane.stop().await;
        }
        tasks.shutdown().await;
    }
}
