//! A service that runs, and how it stops.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{
    Phase, Registration, ServiceClient, clock, discovery::Callee, identity::Identity,
    metrics::Metrics, parts::Parts, policy::Callees, serve::Server, task::Task,
};

/// A service that runs. Dropping it ends it at once, without a farewell; see [`Running::stop`].
#[must_use = "a service that is dropped ends at once"]
pub struct Running {
    pub(super) address: SocketAddr,
    pub(super) identity: Arc<Identity>,
    pub(super) registration: watch::Receiver<Registration>,
    pub(super) parts: Arc<Parts>,
    pub(super) callees: Arc<Callees>,
    pub(super) policies: Task<()>,
    pub(super) stop_calls: watch::Sender<bool>,
    pub(super) server: Server,
    pub(super) registrar: Option<Task<bool>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) propagation: Duration,
    pub(super) drain: Duration,
}

/// How a service stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How many connections were still busy at the deadline, and were cut.
    pub cut: usize,
}

impl Running {
    /// Where it listens; the port is the real one.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Its instance's id.
    pub fn instance_id(&self) -> &str {
        self.identity.id.as_str()
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.parts.phases.get()
    }

    /// How it stands with the platform, now and whenever that changes.
    pub fn registration(&self) -> watch::Receiver<Registration> {
        self.registration.clone()
    }

    /// Calls another service by its name.
    pub fn client(&self, service: &str) -> ServiceClient {
        let target = self
            .callees
            .target(&Callee::own(service), clock::now(), super::wall());
        ServiceClient::new(target)
    }

    /// Calls another service by gRPC, by its name.
    #[cfg(feature = "grpc")]
    pub fn grpc(&self, service: &str) -> crate::GrpcChannel {
        let target = self
            .callees
            .target(&Callee::own(service), clock::now(), super::wall());
        crate::GrpcChannel::new(target)
    }

    /// Its metrics.
    pub fn metrics(&self) -> Metrics {
        self.parts.metrics.clone()
    }

    /// Stops without failing anybody: says that it is not ready and leaves the registry, waits until
    /// everybody has heard of it, stops accepting, lets requests under way finish within the
    /// deadline, and writes what is to be kept.
    pub async fn stop(self) -> Stopped {
        self.parts.phases.advance(Phase::Stopping);
        self.stop.send_replace(true);
        if let Some(registrar) = self.registrar
            && registrar.join().await.unwrap_or(true)
        {
            tokio::time::sleep(self.propagation).await;
        }
        let cut = self.server.drain(self.drain).await;
        if cut > 0 {
            tracing::warn!(cut, deadline = ?self.drain, "connections were cut: their requests took too long");
        }
        self.stop_calls.send_replace(true);
        self.callees.discovery.stop().await;
        self.policies.join().await;
        self.parts.phases.advance(Phase::Stopped);
        Stopped { cut }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running")
            .field("address", &self.address)
            .field("id", &self.instance_id())
            .finish_non_exhaustive()
    }
}
