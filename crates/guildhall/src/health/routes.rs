//! `/health`, `/health/live`, `/health/ready`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::StatusCode;
use serde_json::json;

use crate::{identity::Identity, parts::Parts, phase::Phase};

/// The routes, over what the service shares.
pub(crate) fn routes(parts: Arc<Parts>, identity: Arc<Identity>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state((parts, identity))
}

type Shared = State<(Arc<Parts>, Arc<Identity>)>;

fn status(healthy: bool) -> StatusCode {
    if healthy {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

/// Every check with its details.
async fn health(State((parts, identity)): Shared) -> Response {
    let report = parts.checks.report().await;
    let uptime = crate::clock::now().saturating_duration_since(identity.started);
    let body = json!({
        "healthy": report.healthy,
        "status": parts.phases.get().word(),
        "service": identity.service,
        "version": identity.version,
        "instance": identity.id,
        "uptimeSeconds": uptime.as_secs(),
        "checks": report.checks,
    });
    (status(report.healthy), Json(body)).into_response()
}

/// The process answers; whatever else is wrong, a restart would not help.
async fn live(State((parts, _)): Shared) -> Response {
    Json(json!({"healthy": true, "status": parts.phases.get().word()})).into_response()
}

/// Whether requests should be sent here.
async fn ready(State((parts, _)): Shared) -> Response {
    let phase = parts.phases.get();
    let report = parts.checks.report().await;
    let healthy = phase == Phase::Running && report.healthy;
    let body = json!({"healthy": healthy, "status": phase.word(), "complaint": report.complaint()});
    (status(healthy), Json(body)).into_response()
}
