//! What is answered when a request cannot be: the last good answer, another service's, something fixed.
//!
//! The failure still counted where it happened; the answer is marked with `guildhall-reason: fallback_answered`.

use std::{cell::RefCell, sync::PoisonError};

use bytes::Bytes;
use guildhall_core::{
    policy::guard::FallbackGuard,
    route::{
        Reason,
        table::{ClusterKey, Subset},
    },
};
use guildhall_resilience::fallback::{Cause, Source, Step};
use http::{Request, Response};

use super::{
    answers::{self, AnswerKey},
    guarded::guarded,
    judge,
    retry::Template,
    run::Outcome,
};
use crate::{
    answer::Refusal,
    body::RequestBody,
    clock,
    exchange::{self, Answered, Exchange, Tried},
    record::Record,
    snapshot::{InGateway, Snapshot},
};

/// What a fallback needs of a request that may fail.
#[derive(Debug)]
pub(super) struct Substitute<'g> {
    guard: &'g FallbackGuard<InGateway>,
    /// Of its answer, if that may be kept.
    key: Option<AnswerKey>,
    /// For another service.
    template: Option<Template>,
}

impl<'g> Substitute<'g> {
    pub(super) fn of(
        guard: &'g FallbackGuard<InGateway>,
        record: &mut Record,
        request: &mut Request<RequestBody>,
        on: &Exchange<'_>,
    ) -> Self {
        let kept = guard.kept.as_ref();
        let key =
            kept.and_then(|_| answers::key(request.method(), request.headers(), request.uri()));
        if let (Some(kept), Some(key), Some(policed)) = (kept, &key, &mut record.policed) {
            let most = guard.rule.kept.map_or(0, |kept| kept.bytes);
            policed.keep(kept, key.clone(), most);
        }
        let most = on.worker.shared.options.limits.retry_body;
        let elsewhere = guard.rule.service.as_ref();
        Self {
            guard,
            key,
            template: elsewhere.map(|_| Template::of(request, most)),
        }
    }

    /// The last good answer to the same request.
    fn kept(&self) -> Option<(Response<Bytes>, std::time::Duration)> {
        let (kept, key) = (self.guard.kept.as_ref()?, self.key.as_ref()?);
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, age) = kept.get(key, clock::now())?;
        Some((answer.again(age), age))
    }
}

/// Stands in for a request that failed, if its policy has something to answer with.
pub(super) async fn stand_in(
    on: &Exchange<'_>,
    substitute: Substitute<'_>,
    view: &Snapshot,
    record: &mut Record,
    result: Result<Answered, Refusal>,
) -> Result<Outcome, Refusal> {
    let plan = &substitute.guard.rule.plan;
    let cause = judge::failure(&result).map(Cause::of);
    let Some(cause) = cause.filter(|cause| plan.covers(*cause)) else {
        return result.map(Outcome::Answered);
    };
    let kept = substitute.kept();
    let age = kept.as_ref().map(|(_, age)| *age);
    let mut step = plan.begin(cause, age);
    if step == Step::Service {
        match other_service(on, &substitute, view, record).await {
            Some(answered) => {
                let_go(result, record).await;
                record.substituted = Some(Source::Service);
                return Ok(Outcome::Answered(answered));
            }
            None => step = plan.after_service(age),
        }
    }
    let (answer, source) = match (step, kept, &substitute.guard.rule.fixed) {
        (Step::Cached { age }, Some((answer, _)), _) => (answer, Source::Cached { oldest: age }),
        (Step::Static, _, Some(fixed)) => {
            let mut answer = Response::new(fixed.body.clone());
            *answer.status_mut() = fixed.status;
            *answer.headers_mut() = fixed.headers.clone();
            (answer, Source::Static)
        }
        _ => return result.map(Outcome::Answered),
    };
    let_go(result, record).await;
    record.substituted = Some(source);
    record.reason = Reason::FallbackAnswered;
    record.status = answer.status().as_u16();
    Ok(Outcome::Substituted(answer))
}

/// What failed is not wanted any more.
async fn let_go(result: Result<Answered, Refusal>, record: &Record) {
    if let Ok(answered) = result {
        answered.let_go(record).await;
    }
}

/// Asks the other service once, with its own guards; `None` if it fails, too.
async fn other_service(
    on: &Exchange<'_>,
    substitute: &Substitute<'_>,
    view: &Snapshot,
    record: &mut Record,
) -> Option<Answered> {
    let target = substitute.guard.rule.service.as_ref()?;
    let own = &substitute.guard.source.namespace;
    let key = ClusterKey {
        namespace: target.namespace.as_ref().unwrap_or(own).clone(),
        service: target.name.clone(),
        subset: Subset::DefaultPort,
    };
    let cluster = view.other(&key)?;
    let request = substitute.template.as_ref()?.again()?;
    let tried = RefCell::new(Tried::new());
    let way = cluster.way.as_deref();
    let there = Exchange {
        cluster,
        rules: way.map(|way| &way.enforced),
        tried: &tried,
        ..*on
    };
    let result = match there.rules {
        Some(rules) => guarded(&there, rules, &mut record.lane, request).await,
        None => exchange::attempt(&there, &mut record.lane, request).await,
    };
    if judge::failure(&result).is_some() {
        return None;
    }
    record.cluster = Some(std::sync::Arc::clone(cluster));
    result.ok()
}
