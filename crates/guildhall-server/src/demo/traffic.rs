//! Steady traffic: GETs at a fixed rate over a few connections, each answer counted, each failure kept.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::http::StatusCode;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::http::{Answer, Http};

/// How many send at a time: enough that a process which is killed always has requests under way.
const SENDERS: usize = 12;
/// From one request of a sender to its next.
const PACE: Duration = Duration::from_millis(12);
/// A sender stops by itself after so many requests, whatever becomes of the story: some minutes' worth.
const MOST: usize = 20_000;
/// How many failures are kept in words.
const KEPT: usize = 5;

/// What has been counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// 200s, by the instance that answered.
    pub(super) answered: BTreeMap<String, usize>,
    /// Everything else.
    pub(super) failed: usize,
    /// The first failures, in words.
    pub(super) failures: Vec<String>,
}

/// Traffic under way; it ends when this is dropped.
pub(super) struct Traffic {
    tally: Arc<Mutex<Tally>>,
    senders: JoinSet<()>,
}

impl Tally {
    /// All 200s.
    pub(super) fn good(&self) -> usize {
        self.answered.values().sum()
    }

    /// The 200s of one instance.
    pub(super) fn of(&self, instance: &str) -> usize {
        self.answered.get(instance).copied().unwrap_or(0)
    }

    /// What has been counted since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        let answered = self
            .answered
            .iter()
            .map(|(instance, count)| (instance.clone(), count - before.of(instance)));
        Self {
            answered: answered.filter(|(_, count)| *count > 0).collect(),
            failed: self.failed - before.failed,
            failures: self
                .failures
                .iter()
                .skip(before.failures.len())
                .cloned()
                .collect(),
        }
    }

    /// For people: who answered how often, and what failed.
    pub(super) fn words(&self) -> String {
        let mut words: Vec<String> = self
            .answered
            .iter()
            .map(|(instance, count)| format!("{count} answered by {instance}"))
            .collect();
        if self.failed > 0 {
            words.push(format!(
                "{} failed, the first: {}",
                self.failed,
                self.failures.join(" | ")
            ));
        }
        if words.is_empty() {
            "no answer".to_owned()
        } else {
            words.join(", ")
        }
    }

    fn count(&mut self, answer: Result<Answer, String>) {
        let failure = match answer {
            Ok(answer) if answer.status == StatusCode::OK => {
                let instance = answer.header(guildhall_shop::SERVED_BY);
                match self.answered.get_mut(instance) {
                    Some(count) => *count += 1,
                    None => drop(self.answered.insert(instance.to_owned(), 1)),
                }
                return;
            }
            Ok(answer) => answer.words(),
            Err(error) => error,
        };
        self.failed += 1;
        if self.failures.len() < KEPT {
            self.failures.push(failure);
        }
    }
}

impl Traffic {
    /// GETs `url` from now on.
    pub(super) fn start(http: &Http, url: &str) -> Self {
        let tally = Arc::new(Mutex::new(Tally::default()));
        let mut senders = JoinSet::new();
        for _ in 0..SENDERS {
            senders.spawn(send(http.clone(), url.to_owned(), tally.clone()));
        }
        Self { tally, senders }
    }

    /// What has been counted so far.
    pub(super) fn tally(&self) -> Tally {
        locked(&self.tally).clone()
    }

    /// Ends it. Requests under way are given up and not counted.
    pub(super) async fn end(mut self) -> Tally {
        self.senders.shutdown().await;
        self.tally()
    }
}

async fn send(http: Http, url: String, tally: Arc<Mutex<Tally>>) {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..MOST {
        pace.tick().await;
        let answer = http.get(&url).await;
        locked(&tally).count(answer);
    }
}

fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use ::http::{HeaderMap, HeaderValue};

    use super::*;

    fn answer(status: u16, instance: &'static str) -> Result<Answer, String> {
        let mut headers = HeaderMap::new();
        headers.insert(
            guildhall_shop::SERVED_BY,
            HeaderValue::from_static(instance),
        );
        Ok(Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: "why".into(),
        })
    }

    #[test]
    fn answers_are_counted_by_instance_and_failures_kept() {
        let mut tally = Tally::default();
        assert_eq!(tally.words(), "no answer");
        tally.count(answer(200, "u1"));
        tally.count(answer(200, "u2"));
        tally.count(Err("refused".to_owned()));
        let before = tally.clone();
        tally.count(answer(200, "u2"));
        tally.count(answer(503, "u2"));
        assert_eq!((tally.good(), tally.of("u2"), tally.of("u3")), (3, 2, 0));
        let since = tally.since(&before);
        assert_eq!(
            since.words(),
            "1 answered by u2, 1 failed, the first: 503 Service Unavailable why"
        );
        (0..10).for_each(|_| tally.count(Err("again".to_owned())));
        assert_eq!((tally.failed, tally.failures.len()), (12, KEPT));
    }
}
