//! The task that forgets listeners who left, and takes back gray releases that their judges speak against.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use guildhall_core::access::Caller;
use guildhall_core::config::Config;
use guildhall_core::document::{Document, DocumentKey, Kind, Object};

use tokio::time::MissedTickBehavior;

use super::{gray, judge::JUDGES};
use crate::control::Shared;
use crate::documents::WriteOptions;
use crate::watch::{EventKind, Kinds, Scope, Subscription};
use crate::{Error, clock};

/// How often those who left are looked for, and what could not be taken back is tried again.
const EVERY: Duration = Duration::from_secs(5);

/// What is watched: files, and the health of those who read them.
pub(crate) fn scope() -> Scope {
    Scope::kinds(Kinds::of(&[Kind::Config, Kind::Instance]))
}

/// Runs until the control plane stops.
pub(crate) async fn run(shared: Arc<Shared>, mut changes: Subscription) {
    // Files with a gray release that may be taken back.
    let mut judged: BTreeMap<DocumentKey, Arc<Object<Config>>> = BTreeMap::new();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = ticks.tick() => {
                shared.listeners.change(|listeners| listeners.expire(clock::now()));
            }
            () = shared.listeners.failed() => {}
            event = changes.next() => {
                let Some(event) = event else { return };
                match (event.kind(), event.document()) {
                    (EventKind::Resync, _) => judged.clear(),
                    (EventKind::Deleted, Some(document)) => {
                        judged.remove(&document.key());
                    }
                    (_, Some(Document::Config(config))) => {
                        let is_judged = config.spec.gray.iter().any(|gray| gray.judgement.automatic);
                        match is_judged {
                            true => judged.insert(config.key(), Arc::clone(config)),
                            false => judged.remove(&config.key()),
                        };
                    }
                    _ => {}
                }
            }
        }
        for config in judged.values() {
            judge(&shared, config).await;
        }
    }
}

async fn judge(shared: &Shared, config: &Object<Config>) {
    let key = config.key();
    for release in config
        .spec
        .gray
        .iter()
        .filter(|gray| gray.judgement.automatic)
    {
        let audience = shared
            .listeners
            .change(|listeners| listeners.audience(&key, &release.name));
        let state = shared.view.load();
        let against = JUDGES
            .iter()
            .find_map(|judge| judge.against(release, &audience, &state));
        let Some(why) = against else { continue };
        tracing::warn!(file = %key, gray = release.name, why, "a gray release is taken back");
        let mut comment = format!("gray release {} is taken back: {why}", release.name);
        comment.truncate(comment.floor_char_boundary(guildhall_core::history::MAX_COMMENT));
        let options = WriteOptions {
            comment: Some(comment.replace(|c: char| c.is_control(), " ")),
            ..WriteOptions::default()
        };
        let system = Caller::system("gray");
        match gray::abort(shared, &system, &key, &release.name, options).await {
            // Somebody else was faster.
            Ok(_) | Err(Error::NoGray { .. } | Error::NotFound(_)) => {}
            Err(error) => {
                tracing::error!(file = %key, gray = release.name, %error, "a gray release could not be taken back");
            }
        }
    }
}
