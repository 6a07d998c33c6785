//! The node itself: liveness, readiness, status, snapshots, its own description.

use bytes::Bytes;
use guildhall_api::wire::{Code, Status, StoreStatus};
use guildhall_core::{
    access::{Verb, authorize},
    document::Timestamp,
    registry::Statistics,
};
use http::StatusCode;
use serde_json::json;

use super::problem::{Refusal, refuse};
use super::{
    Api,
    answer::{self, Answer},
    call::Call,
    openapi, pages, problem, reading,
};
use crate::{
    clock,
    node::{Stage, resident_bytes},
};

fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Starting => "starting",
        Stage::Ready => "ok",
        Stage::Stopping => "stopping",
    }
}

/// `GET /healthz`: the process works, whatever else.
pub(crate) fn live() -> Result<Answer, Refusal> {
    answer::json(&json!({"status": "ok"}))
}

/// `GET /readyz`
pub(crate) fn ready(api: &Api) -> Result<Answer, Refusal> {
    let mut stage = api.node.stage();
    if stage == Stage::Ready && !api.node.roles().iter().all(|role| role.serves) {
        stage = Stage::Starting;
    }
    let mut answer = answer::json(&json!({"status": word(stage)}))?;
    if stage != Stage::Ready {
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(answer)
}

/// The status as the API and `Platform::status` give it.
pub(crate) fn status_of(api: &Api) -> Status<Statistics> {
    let control = api
        .control()
        .ok()
        .map(|control| (control.status(), control.state()));
    let roles = api.node.roles();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ready: api.node.stage() == Stage::Ready && roles.iter().all(|role| role.serves),
        started_at: api.node.started,
        timestamp: Timestamp::from_system(clock::wall()),
        roles: roles.into_iter().map(|role| role.status).collect(),
        index: control.as_ref().map(|(status, _)| status.index),
        store: control.as_ref().map(|(status, _)| StoreStatus {
            engine: status.store.engine.to_owned(),
            read_only: status.store.read_only.as_ref().map(ToString::to_string),
            disk_bytes: None,
        }),
        registry: control.as_ref().map(|(_, state)| {
            // Counts only: who wants each service asks for the statistics.
            let mut counts = guildhall_core::registry::statistics(&state.catalog, None);
            counts.breakdown.clear();
            counts
        }),
        fleet: api
            .control()
            .ok()
            .map(|control| control.fleet().statistics()),
        resident_bytes: resident_bytes(),
    }
}

/// `GET /api/v1/status`
pub(crate) async fn status(api: &Api, call: Call) -> Result<Answer, Refusal> {
    authorize(&call.caller, Verb::Read, None, None, None)
        .map_err(|denied| problem::of(denied.into()))?;
    if let Ok(control) = api.control() {
        reading::settle(api, &control, &call).await?;
    }
    answer::json(&status_of(api))
}

/// `GET /api/openapi.json`
pub(crate) fn openapi(api: &Api) -> Answer {
    let text = api.openapi.get_or_init(|| Bytes::from(openapi::text()));
    answer::json_bytes(text.clone())
}

/// `GET /docs/errors/{code}`
pub(crate) fn error_page(call: &Call) -> Result<Answer, Refusal> {
    match Code::parse(&call.target.name).map(pages::of) {
        Some(page) => Ok(answer::text("text/markdown; charset=utf-8", page)),
        None => Err(refuse(
            Code::NotFound,
            format!("{:?} is not a code of this version", call.target.name),
        )),
    }
}
