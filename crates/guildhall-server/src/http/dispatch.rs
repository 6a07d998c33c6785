//! Which handler answers what: every resource and method, in one match.

use std::sync::Arc;

use guildhall_api::wire::Code;
use guildhall_core::document::Kind;

use super::problem::{Refusal, refuse};
use super::{
    Api,
    answer::Answer,
    call::Call,
    configs, discovery, documents, drafts, fleet, history, locks, metrics, platform, policies,
    promotions, registry,
    routes::{Method as M, Resource as R},
    snapshot, watch,
};

/// Answers `call`.
pub(crate) async fn dispatch(api: &Arc<Api>, call: Call) -> Result<Answer, Refusal> {
    match (call.target.resource, call.target.method) {
        (R::Collection(kind), M::Get) => documents::list(api, call, kind, false).await,
        (R::Collection(kind), M::Post) => documents::create(api, call, kind).await,
        (R::Document(kind), M::Get) => documents::read(api, call, kind).await,
        (R::Document(kind), M::Put) => documents::write(api, call, kind).await,
        (R::Document(kind), M::Delete) => documents::delete(api, call, kind).await,
        (R::Instances, M::Get) => discovery::discover(api, call).await,
        (R::Instances, M::Post) => registry::register(api, call).await,
        (R::Versions, _) => documents::list(api, call, Kind::ServiceVersion, true).await,
        (R::Heartbeat, _) => registry::heartbeat(api, call).await,
        (R::Check, _) => registry::report(api, call).await,
        (R::Maintenance, _) => registry::maintain(api, call).await,
        (R::Timeline, _) => registry::timeline(api, call).await,
        (R::Graph, _) => registry::graph(api, call).await,
        (R::Impact, _) => registry::impact(api, call).await,
        (R::Stats, _) => registry::statistics(api, call).await,
        (R::LockAcquire, _) => locks::acquire(api, call).await,
        (R::LockRenew, _) => locks::renew(api, call).await,
        (R::LockRelease, _) => locks::release(api, call).await,
        (R::Reports, _) => fleet::report(api, call).await,
        (R::Breakers, _) => fleet::breakers(api, call).await,
        (R::Limits, _) => fleet::limits(api, call).await,
        (R::EffectivePolicy, _) => policies::effective(api, call).await,
        (R::History, _) => history::list(api, call).await,
        (R::PastVersion, _) => history::read(api, call).await,
        (R::VersionDiff, _) => history::diff(api, call).await,
        (R::Rollback, _) => history::rollback(api, call).await,
        (R::Tag, M::Put) => history::tag(api, call).await,
        (R::Tag, _) => history::untag(api, call).await,
        (R::ConfigContent, M::Get) => configs::read_content(api, call).await,
        (R::ConfigContent, _) => configs::release(api, call).await,
        (R::Reseal, _) => configs::reseal(api, call).await,
        (R::EffectiveConfig, _) => configs::effective(api, call).await,
        (R::Listeners, _) => configs::listeners(api, call).await,
        (R::Listener, _) => configs::listener(api, call).await,
        (R::Gray, M::Put) => configs::start_gray(api, call).await,
        (R::Gray, _) => configs::abort_gray(api, call).await,
        (R::GrayPromotion, _) => configs::promote_gray(api, call).await,
        (R::ConfigPromotion, _) => promotions::promote(api, call).await,
        (R::AllDrafts, _) => drafts::all(api, call).await,
        (R::Drafts, _) => drafts::list(api, call).await,
        (R::Draft, M::Get) => drafts::read(api, call).await,
        (R::Draft, _) => drafts::delete(api, call).await,
        (R::DraftContent, _) => drafts::content(api, call).await,
        (R::DraftDiff, _) => drafts::diff(api, call).await,
        (R::DraftApproval, _) => drafts::approve(api, call).await,
        (R::DraftRelease, _) => drafts::release(api, call).await,
        (R::Watch, _) => watch::many(api, &call).await,
        (R::Status, _) => platform::status(api, call).await,
        (R::Snapshot, M::Get) => snapshot::save(api, &call).await,
        (R::Snapshot, _) => snapshot::restore(api, call).await,
        (R::Live, _) => platform::live(),
        (R::Ready, _) => platform::ready(api),
        (R::Metrics, _) => metrics::read(api, &call),
        (R::OpenApi, _) => Ok(platform::openapi(api)),
        (R::ErrorPage, _) => platform::error_page(&call),
        // Paths are resolved together with their methods, so that nothing else arrives here.
        (R::Collection(_) | R::Document(_) | R::Instances, _) => Err(refuse(
            Code::MethodNotAllowed,
            "this path does not take this method",
        )),
    }
}
