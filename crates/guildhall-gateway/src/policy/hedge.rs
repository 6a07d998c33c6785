//! Twice at once: a request that takes longer than most is sent once more, and the first answer counts.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Instant,
};

use guildhall_core::policy::guard::HedgeGuard;
use guildhall_resilience::hedge::{HedgeDecision, Hedgeable};
use http::Request;
use tokio::time::sleep;

use super::{guarded::guarded, judge, retry::Template};
use crate::{
    answer::Refusal,
    body::RequestBody,
    clock,
    exchange::{Answered, Exchange, Lane},
    record::Record,
    snapshot::Rules,
};

/// Sends a request, and hedges it where a policy says so. `template` is what it can be sent again from, if it is known.
pub(super) async fn send(
    on: &Exchange<'_>,
    rules: &Rules,
    record: &mut Record,
    template: Option<&Template>,
    mut request: Request<RequestBody>,
) -> Result<Answered, Refusal> {
    let Some(guard) = &rules.hedging else {
        return guarded(on, rules, &mut record.lane, request).await;
    };
    let made;
    let template = match template {
        Some(template) => template,
        None => {
            made = Template::of(&mut request, 0);
            &made
        }
    };
    hedged(on, rules, guard, record, template, request).await
}

/// One attempt under way, and where it runs.
type Running<'a> = Pin<Box<dyn Future<Output = (Result<Answered, Refusal>, Lane)> + 'a>>;

async fn hedged(
    on: &Exchange<'_>,
    rules: &Rules,
    guard: &HedgeGuard,
    record: &mut Record,
    template: &Template,
    request: Request<RequestBody>,
) -> Result<Answered, Refusal> {
    let start = clock::now();
    guard.budget.deposit(start);
    let run = |request| -> Running<'_> {
        Box::pin(async move {
            let mut lane = Lane::default();
            let result = guarded(on, rules, &mut lane, request).await;
            (result, lane)
        })
    };
    let mut running: Vec<Running<'_>> = vec![run(request)];
    let mut sent = 1;
    let mut failed: Option<(Result<Answered, Refusal>, Lane)> = None;
    let mut timer = pin!(plan(on, guard, template, sent, start).map(sleep));
    let (result, lane) = poll_fn(|cx| {
        loop {
            if let Some(ended) = poll_all(&mut running, &mut failed, cx) {
                return Poll::Ready(ended);
            }
            if timer
                .as_mut()
                .as_pin_mut()
                .is_none_or(|timer| timer.poll(cx).is_pending())
            {
                return Poll::Pending;
            }
            timer.set(None);
            let now = clock::now();
            // A body that still comes in has one reader.
            let again = template.is_whole().then(|| template.again()).flatten();
            let Some(again) = again.filter(|_| guard.hedge.fire(&guard.budget, now).is_ok()) else {
                continue;
            };
            on.worker.stats().hedges.add(1);
            sent += 1;
            running.push(run(again));
            timer.set(plan(on, guard, template, sent, now).map(sleep));
        }
    })
    .await;
    // Losers end here; they count as nothing.
    drop(running);
    if judge::failure(&result).is_none() {
        let now = clock::now();
        guard
            .hedge
            .record(now.saturating_duration_since(start), now);
    }
    let attempts = record.lane.attempts + lane.attempts + (sent - 1);
    record.lane = Lane { attempts, ..lane };
    result
}

/// When the next hedge is sent, if one is.
fn plan(
    on: &Exchange<'_>,
    guard: &HedgeGuard,
    template: &Template,
    sent: u32,
    now: Instant,
) -> Option<std::time::Duration> {
    let request = Hedgeable {
        sent,
        idempotency: template.idempotency(),
        body: template.body(),
        remaining: on.deadline.remaining(now),
    };
    match guard.hedge.plan(&request, now) {
        HedgeDecision::After(delay) => Some(delay),
        HedgeDecision::No(_) => None,
    }
}

/// The first good answer; the last failure once nothing runs any more.
fn poll_all<'a>(
    running: &mut Vec<Running<'a>>,
    failed: &mut Option<(Result<Answered, Refusal>, Lane)>,
    cx: &mut Context<'_>,
) -> Option<(Result<Answered, Refusal>, Lane)> {
    let mut at = 0;
    while let Some(one) = running.get_mut(at) {
        match one.as_mut().poll(cx) {
            Poll::Pending => at += 1,
            Poll::Ready(ended) => {
                drop(running.swap_remove(at));
                if judge::failure(&ended.0).is_none() {
                    return Some(ended);
                }
                *failed = Some(ended);
            }
        }
    }
    if running.is_empty() {
        failed.take()
    } else {
        None
    }
}
