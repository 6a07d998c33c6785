//! A running platform, and its end.

use std::sync::Arc;

use guildhall_api::wire::Status;
use guildhall_core::registry::Statistics;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::{Addresses, Plane, PlatformBuilder, traffic::Traffic};
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
