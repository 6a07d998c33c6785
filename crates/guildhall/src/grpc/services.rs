//! What the author adds, and where it is mounted.

use std::{convert::Infallible, sync::Arc};

use axum::{Router, middleware::from_fn_with_state, response::IntoResponse};
use http::Request;
use tonic::{body::Body, server::NamedService};
use tonic_health::pb::health_server::HealthServer;
use tower::{Service, ServiceExt};

use super::{call, health::Health};
use crate::{parts::Parts, serve::Stages};

/// The author's gRPC services.
#[derive(Default)]
pub(crate) struct Services {
    router: Router,
    names: Vec<&'static str>,
}

impl Services {
    /// Adds one. Fails with its name if it is there already.
    pub(crate) fn add<S>(&mut self, service: S) -> Result<(), &'static str>
    where
        S: Service<Request<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        if self.names.contains(&S::NAME) {
            return Err(S::NAME);
        }
        self.names.push(S::NAME);
        self.router = std::mem::take(&mut self.router).route_service(
            &format!("/{}/{{*method}}", S::NAME),
            service.map_request(|request: Request<axum::body::Body>| request.map(Body::new)),
        );
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The services before the routes of `others`. The health service is not logged and not counted, as `/health` is
    /// not; one of the author's own takes its place.
    pub(crate) fn before(
        self,
        others: Router,
        parts: &Arc<Parts>,
        stages: &Stages,
        own: bool,
    ) -> Router {
        let chain = call::Chain {
            metrics: parts.metrics.grpc.clone(),
            stages: stages.clone(),
        };
        let mut router = self.router.layer(from_fn_with_state(chain, call::answer));
        let health = <HealthServer<Health> as NamedService>::NAME;
        if own && !self.names.contains(&health) {
            let names = self.names.into();
            let service = HealthServer::new(Health::new(parts.clone(), stages.clone(), names));
            router = router.route_service(
                &format!("/{health}/{{*method}}"),
                service.map_request(|request: Request<axum::body::Body>| request.map(Body::new)),
            );
        }
        router.fallback_service(others)
    }
}
