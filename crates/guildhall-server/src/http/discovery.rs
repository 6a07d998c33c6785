//! `GET …/services/{service}/instances`: whom to call. The path that is read most.

use std::sync::Arc;

use guildhall_api::wire::{Code, Discovery};
use guildhall_control::watch::{Kinds, Scope};
use guildhall_core::{
    access::{Caller, Verb, authorize},
    document::{Index, Kind, Namespace, ServiceName},
    registry::Query as Filter,
};
use http::HeaderValue;

use super::{
    Api,
    answer::{self, Answer},
    answers::Kept,
    call::Call,
    params, problem, reading, watch,
};
use guildhall_api::wire::header as names;

use super::problem::{Refusal, refuse};

/// The parameters that are no filters.
const HANDLED: &[&str] = &[
    params::MIN_INDEX,
    params::INDEX,
    params::WAIT,
    params::WATCH,
];

/// The answer that was written for the same request before, if the service has not changed since.
///
/// Only plain reads are kept: a request that waits or streams has another path and query.
pub(crate) fn kept(
    api: &Api,
    caller: &Caller,
    namespace: &Namespace,
    service: &str,
    uri: &str,
) -> Option<Answer> {
    let control = api.control().ok()?;
    let kept = api.answers.get(uri)?;
    authorize(
        caller,
        Verb::Read,
        Some(Kind::Instance),
        Some(namespace),
        Some(service),
    )
    .ok()?;
    let state = control.state();
    let revision = state.catalog.service_revision(namespace, service);
    (kept.index
        == Index {
            revision,
            ..state.index
        })
    .then(|| answered(&kept))
}

fn answered(kept: &Kept) -> Answer {
    let mut answer = answer::json_bytes(kept.json.clone());
    answer
        .headers_mut()
        .insert(names::INDEX, kept.header.clone());
    answer
}

/// Answers from the state of now, or once it changes, or as a stream.
pub(crate) async fn discover(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let namespace = call.namespace()?.clone();
    let bad = |detail: String| refuse(Code::BadRequest, detail);
    let filter = Filter::parse(call.query.pairs(), HANDLED)
        .map_err(|error| bad(format!("query parameter {error}")))?;
    let service = ServiceName::new(&call.target.name)
        .map_err(|error| bad(format!("the service in the path: {error}")))?;
    if call.query.flag(params::WATCH)?.unwrap_or(false) {
        reading::settle(api, &control, &call).await?;
        let mut scope = Scope::service(namespace, service.as_str());
        scope.kinds = Kinds::of(&[Kind::Instance]);
        let from = watch::resume(&call, params::INDEX)?;
        return watch::open(api, &control, &call, scope.finding(&filter), from).await;
    }
    let plain = HANDLED
        .iter()
        .all(|parameter| call.query.get(parameter).is_none());
    if !plain {
        reading::settle(api, &control, &call).await?;
        reading::poll(
            api,
            &control,
            &call,
            &Scope::service(namespace.clone(), service.as_str()),
        )
        .await?;
    }
    let registry = control.registry();
    let found = registry
        .discover(&call.caller, &namespace, service.as_str(), &filter)
        .map_err(problem::of)?;
    let json = answer::to_bytes(&Discovery {
        service,
        namespace,
        index: found.index,
        protected: found.discovered.protected,
        instances: found.discovered.instances,
    })?;
    let header =
        HeaderValue::from_str(&found.index.to_string()).unwrap_or(HeaderValue::from_static(""));
    let kept = Arc::new(Kept {
        index: found.index,
        json,
        header,
    });
    if plain {
        api.answers.put(
            call.uri.path_and_query().map_or("", |uri| uri.as_str()),
            kept.clone(),
        );
    }
    Ok(answered(&kept))
}
