//! The checker's task: follows the registry, does what is due, runs checks.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use guildhall_core::document::{Document, DocumentKey, Kind};
use tokio::time::Instant;

use super::board::Job;
use super::probe::Prober;
use super::table::Said;
use crate::clock;
use crate::control::Shared;
use crate::watch::{Event, EventKind, Kinds, Scope, Subscription};

/// The longest the task sleeps while instances are checked: how exactly its own lag is known.
const TICK: Duration = Duration::from_millis(250);

/// How many events are taken in before the clock is looked at again.
const STRIDE: usize = 1_024;

/// What the checker follows.
pub(crate) fn scope() -> Scope {
    Scope::kinds(Kinds::of(&[Kind::Service, Kind::Instance]))
}

/// Checks until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>, mut instances: Subscription) {
    let options = shared.board.options();
    let prober = Prober::new(options.allow_link_local, options.ca_file.clone());
    let prober = Arc::new(prober);
    let mut duty = shared.duty.watch();
    let mut on_duty = false;
    let mut replayed: Option<HashSet<DocumentKey>> = None;
    let mut next = None;
    loop {
        let planned = plan(&shared, on_duty, next);
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            event = instances.next() => {
                let Some(event) = event else { return };
                follow(&shared, &event, &mut replayed);
                for _ in 0..STRIDE {
                    let Some(Some(event)) = instances.next().now_or_never() else { break };
                    follow(&shared, &event, &mut replayed);
                }
            }
            changed = duty.changed() => {
                let held = changed.is_ok() && duty.borrow_and_update().is_some();
                if held && !on_duty {
                    shared.board.restart(clock::moment());
                }
                on_duty = held;
                next = None;
                continue;
            }
            () = shared.board.sooner.notified() => {}
            () = sleep_until(planned) => {}
        }
        if !on_duty {
            continue;
        }
        let now = clock::moment();
        if let Some(planned) = planned {
            // Heartbeats that came while the process stood still could not be heard.
            let late = now.monotonic.saturating_duration_since(planned.into_std());
            if late > shared.board.options().tolerance {
                tracing::warn!(
                    ?late,
                    "the checker was late; every deadline is put off by as much"
                );
                shared.board.extend(late);
            }
        }
        let (jobs, soonest) = shared.board.tick(&shared.transitions, now);
        next = soonest;
        for job in jobs {
            tokio::spawn(check(Arc::clone(&shared), Arc::clone(&prober), job));
        }
    }
}

/// When to wake: at what is due next, and every [`TICK`] while anybody is being checked. Never
/// before now: what is overdue because there is much of it is not the clock's lag.
fn plan(shared: &Shared, on_duty: bool, next: Option<std::time::Instant>) -> Option<Instant> {
    if !on_duty || (next.is_none() && shared.board.is_idle()) {
        return None;
    }
    let now = clock::now();
    let tick = now + TICK;
    Some(next.map_or(tick, |next| next.clamp(now, tick)).into())
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Puts on the board what the registry says.
fn follow(shared: &Shared, event: &Event, replayed: &mut Option<HashSet<DocumentKey>>) {
    let now = clock::moment();
    let board = &shared.board;
    match (event.kind(), event.document()) {
        (EventKind::Resync, _) => *replayed = Some(HashSet::new()),
        (EventKind::Bookmark, _) => {
            if let Some(seen) = replayed.take() {
                board.retain(|key| seen.contains(key));
            }
        }
        (EventKind::Deleted, Some(Document::Instance(instance))) => board.forget(&instance.key()),
        (_, Some(Document::Instance(instance))) => {
            if let Some(seen) = replayed {
                seen.insert(instance.key());
            }
            let anew = replayed.is_some();
            board.know(instance, &shared.view.load().catalog, anew, now);
        }
        // Its default checks may be others now.
        (_, Some(Document::Service(service))) => {
            let state = shared.view.load();
            let Some(entry) = state
                .catalog
                .service(&service.metadata.namespace, &service.metadata.name)
            else {
                return;
            };
            let followers = entry
                .instances
                .values()
                .filter(|instance| instance.spec.checks.is_empty());
            followers.for_each(|instance| board.know(instance, &state.catalog, false, now));
        }
        _ => {}
    }
}

async fn check(shared: Arc<Shared>, prober: Arc<Prober>, job: Job) {
    let started = clock::now();
    let Some(check) = job.check() else {
        shared.board.abandon(&job);
        return;
    };
    let result = tokio::select! {
        () = shared.stop.cancelled() => None,
        result = prober.probe(job.instance(), check) => Some(result),
    };
    match result {
        Some(result) => {
            let now = clock::moment();
            let said = Said {
                outcome: result.outcome,
                output: &result.output,
            };
            shared
                .board
                .finish(&job, said, started, &shared.transitions, now);
        }
        None => shared.board.abandon(&job),
    }
}
