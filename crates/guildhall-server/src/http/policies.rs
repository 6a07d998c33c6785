//! `GET …/policies/effective`: what policies come to for requests on one way.

use guildhall_api::wire::Code;
use guildhall_control::watch::{Kinds, Scope};
use guildhall_core::{
    document::Kind,
    policy::{Chain, Problem, Resolved, Target, spec::TargetKind},
};
use serde::Serialize;

use super::problem::{Refusal, refuse};
use super::{
    Api,
    answer::{self, Answer},
    call::Call,
    params, problem, reading,
};

/// The answer; [`EffectivePolicy`](guildhall_api::wire::EffectivePolicy) is how clients read it.
#[derive(Serialize)]
struct Effective {
    targets: Vec<Target>,
    #[serde(flatten)]
    resolved: Resolved,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Problem>,
}

/// `GET …/policies/effective`
pub(crate) async fn effective(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let namespace = call.namespace()?.clone();
    let chain = chain(&call)?;
    reading::settle(api, &control, &call).await?;
    let scope = Scope::kinds(Kinds::of(&[Kind::Policy])).in_namespace(namespace.clone());
    let index = reading::poll(api, &control, &call, &scope).await?;
    let found = control
        .policies()
        .effective(&call.caller, &namespace, &chain)
        .map_err(problem::of)?;
    let mut answer = answer::json(&Effective {
        targets: found.targets,
        resolved: found.resolved,
        problems: found.problems,
    })?;
    answer::set_index(&mut answer, index);
    Ok(answer)
}

/// What the requests pass, by the parameters.
fn chain(call: &Call) -> Result<Chain, Refusal> {
    let namespace = call.namespace()?;
    let named = |parameter: &str| call.query.get(parameter).filter(|name| !name.is_empty());
    let mut chain = Chain::default();
    for (part, whole) in [
        (params::RULE, params::ROUTE),
        (params::LISTENER, params::GATEWAY),
    ] {
        if named(part).is_some() && named(whole).is_none() {
            let detail = format!("query parameter {part}: say of which {whole}, too");
            return Err(refuse(Code::BadRequest, detail));
        }
    }
    if let Some(route) = named(params::ROUTE) {
        chain = chain.route(TargetKind::HttpRoute, namespace, route, named(params::RULE));
    }
    if let Some(service) = named(params::SERVICE) {
        chain = chain.service(namespace, service);
    }
    if let Some(gateway) = named(params::GATEWAY) {
        chain = chain.gateway(namespace, gateway, named(params::LISTENER));
    }
    if chain == Chain::default() {
        return Err(refuse(
            Code::BadRequest,
            "name what the requests pass: service, route (and rule), gateway (and listener)",
        ));
    }
    Ok(chain)
}
