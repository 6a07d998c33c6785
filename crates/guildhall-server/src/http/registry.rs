//! What is said about instances, and what the registry says about the whole.

use std::cmp::Reverse;

use guildhall_api::wire::{Code, HeartbeatAnswer, MaintenanceBody, ReportBody, Timeline};
use guildhall_control::watch::{Kinds, Scope};
use guildhall_core::{
    document::{Document, InstanceId, Kind, ServiceName},
    registry::{Check, Maintenance, Probe},
};

use super::problem::{Refusal, refuse};
use super::{
    Api, accept,
    answer::{self, Answer},
    call::Call,
    documents, problem, reading,
};

/// `POST …/services/{service}/instances`: registers under an id that the server makes up, unless the document has one.
pub(crate) async fn register(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let bytes = call.read_body(api).await?;
    let body = accept::document(&call.headers, &bytes)?;
    let id = match body.metadata.name.as_str() {
        "" => documents::made_up(),
        id => id.to_owned(),
    };
    call.target.name = format!("{}/{id}", call.target.name);
    let key = call.key(Kind::Instance)?;
    let (document, warnings) = documents::typed(body, Kind::Instance, Some(&key))?;
    documents::put(api, &call, document, &warnings).await
}

/// `PUT …/instances/{id}/heartbeat`
pub(crate) async fn heartbeat(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let key = call.key(Kind::Instance)?;
    control
        .registry()
        .heartbeat(&call.caller, &key)
        .await
        .map_err(problem::of)?;
    let state = control.state();
    let Some(Document::Instance(instance)) = state.get(&key) else {
        return Err(problem::of(guildhall_control::Error::NotFound(key)));
    };
    let status = instance.status.clone().unwrap_or_default();
    let entry = state
        .catalog
        .service(&key.namespace, instance.spec.service.as_str());
    let checks: &[Check] =
        entry.map_or(&instance.spec.checks, |entry| entry.checks(&instance.spec));
    let ttl = |check: &Check| match check.probe {
        Probe::Ttl { ttl } => Some(ttl),
        _ => None,
    };
    let ttl = checks.iter().filter_map(ttl).min();
    answer::json(&HeartbeatAnswer {
        health: status.health,
        since: status.since,
        ttl,
    })
}

/// `PUT …/instances/{id}/checks/{check}`
pub(crate) async fn report(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let bytes = call.read_body(api).await?;
    let said: ReportBody = accept::typed(&call.headers, &bytes)?;
    let key = call.key(Kind::Instance)?;
    let registry = api.control()?.registry();
    registry
        .report(
            &call.caller,
            &key,
            &call.target.part,
            said.state,
            &said.output,
        )
        .await
        .map_err(problem::of)?;
    Ok(answer::empty())
}

/// `PUT …/instances/{id}/maintenance`
pub(crate) async fn maintain(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let bytes = call.read_body(api).await?;
    let asked: MaintenanceBody = accept::typed(&call.headers, &bytes)?;
    let key = call.key(Kind::Instance)?;
    let MaintenanceBody {
        enabled,
        mode,
        reason,
    } = asked;
    let maintenance = enabled.then_some(Maintenance {
        mode,
        reason,
        by: String::new(),
    });
    let registry = api.control()?.registry();
    let written = registry
        .maintenance(&call.caller, &key, maintenance)
        .await
        .map_err(problem::of)?;
    let mut answer = answer::empty();
    answer::set_index(&mut answer, written.index);
    Ok(answer)
}

/// `GET …/instances/{id}/timeline`
pub(crate) async fn timeline(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    reading::settle(api, &control, &call).await?;
    let key = call.key(Kind::Instance)?;
    let entries = control
        .registry()
        .timeline(&call.caller, &key)
        .await
        .map_err(problem::of)?;
    let (service, id) = call.service_and_name();
    let bad =
        |error: guildhall_core::document::NameError| refuse(Code::BadRequest, error.to_string());
    let mut timeline = Timeline {
        service: ServiceName::new(service).map_err(bad)?,
        namespace: key.namespace.clone(),
        id: InstanceId::new(id).map_err(bad)?,
        entries,
    };
    timeline.entries.sort_by_key(|entry| Reverse(entry.number));
    answer::json(&timeline)
}

/// Everything the graph and the statistics are made of.
fn registered() -> Scope {
    Scope::kinds(Kinds::of(&[
        Kind::Service,
        Kind::ServiceVersion,
        Kind::Instance,
    ]))
}

/// `GET …/graph`
pub(crate) async fn graph(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let namespace = call.namespace()?.clone();
    reading::settle(api, &control, &call).await?;
    let index = reading::poll(
        api,
        &control,
        &call,
        &registered().in_namespace(namespace.clone()),
    )
    .await?;
    let graph = control
        .registry()
        .graph(&call.caller, &namespace)
        .map_err(problem::of)?;
    let mut answer = answer::json(&graph)?;
    answer::set_index(&mut answer, index);
    Ok(answer)
}

/// `GET …/graph/impact/{service}`
pub(crate) async fn impact(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let namespace = call.namespace()?.clone();
    let service = ServiceName::new(&call.target.name).map_err(|error| {
        refuse(
            Code::BadRequest,
            format!("the service in the path: {error}"),
        )
    })?;
    reading::settle(api, &control, &call).await?;
    let index = reading::poll(
        api,
        &control,
        &call,
        &registered().in_namespace(namespace.clone()),
    )
    .await?;
    let impact = control
        .registry()
        .impact(&call.caller, &namespace, &service)
        .map_err(problem::of)?;
    let mut answer = answer::json(&impact)?;
    answer::set_index(&mut answer, index);
    Ok(answer)
}

/// `GET …/stats`
pub(crate) async fn statistics(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let mut scope = registered();
    scope.namespace = call.target.scope.one().cloned();
    reading::settle(api, &control, &call).await?;
    let index = reading::poll(api, &control, &call, &scope).await?;
    let statistics = control
        .registry()
        .statistics(&call.caller, call.target.scope.one())
        .map_err(problem::of)?;
    let mut answer = answer::json(&statistics)?;
    answer::set_index(&mut answer, index);
    Ok(answer)
}
