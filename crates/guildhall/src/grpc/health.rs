//! `grpc.health.v1.Health` (the gRPC health checking protocol), out of the service's checks and its phase.
//!
//! Checks are of the process, so that every service in it stands as it does: the empty name, and the name of each.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use tonic::{Request, Response, Status, async_trait};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server,
};

use crate::{
    parts::Parts,
    phase::Phase,
    serve::{Stage, Stages},
};

/// How often the checks are run on behalf of those who watch. What others find out meanwhile is told at once.
const EVERY: Duration = Duration::from_secs(2);

/// The health service.
#[derive(Clone)]
pub(super) struct Health {
    parts: Arc<Parts>,
    stages: Stages,
    names: Arc<[&'static str]>,
}

impl Health {
    pub(super) fn new(parts: Arc<Parts>, stages: Stages, names: Arc<[&'static str]>) -> Self {
        Self {
            parts,
            stages,
            names,
        }
    }

    fn knows(&self, service: &str) -> bool {
        service.is_empty() || self.names.contains(&service)
    }

    /// As `/health/ready` says.
    async fn status(&self) -> ServingStatus {
        let ready =
            self.parts.phases.get() == Phase::Running && self.parts.checks.report().await.healthy;
        match ready {
            true => ServingStatus::Serving,
            false => ServingStatus::NotServing,
        }
    }

    /// What is said next to somebody who was told `last`, of a service that is known or not.
    async fn next(
        &self,
        last: Option<ServingStatus>,
        known: bool,
    ) -> Result<ServingStatus, Status> {
        let mut phases = self.parts.phases.subscribe();
        let mut verdicts = self.parts.checks.subscribe();
        loop {
            // So that what comes while it is looked at is seen afterwards.
            phases.mark_unchanged();
            verdicts.mark_unchanged();
            let present = match known {
                true => self.status().await,
                false => ServingStatus::ServiceUnknown,
            };
            if last != Some(present) {
                return Ok(present);
            }
            tokio::select! {
                _ = phases.changed() => {}
                _ = verdicts.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
                // A stream without an end would be waited for.
                () = self.stages.reached(Stage::Finishing) => {
                    return Err(Status::unavailable("the service stops"));
                }
            }
        }
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[async_trait]
impl health_server::Health for Health {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        if !self.knows(service) {
            return Err(Status::not_found(format!("{service:?} is not served here")));
        }
        Ok(Response::new(answer(self.status().await)))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let known = self.knows(&request.get_ref().service);
        // What was told last; nothing comes after an error.
        let told = Some((self.clone(), None));
        let stream = stream::unfold(told, move |told| async move {
            let (health, last) = told?;
            Some(match health.next(last, known).await {
                Ok(status) => (Ok(answer(status)), Some((health, Some(status)))),
                Err(status) => (Err(status), None),
            })
        });
        Ok(Response::new(Box::pin(stream)))
    }
}
