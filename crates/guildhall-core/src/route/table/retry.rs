//! What a rule says itself about sending again, compiled.
//!
//! Gateway API (GEP-1731) says which statuses are worth another attempt, how many attempts there are and how long the
//! shortest pause is; everything else is policies'. What is stated here wins over them field by field.

use std::{sync::Arc, time::Duration};

use guildhall_resilience::retry::{Backoff, FailureClass, RetryPolicy};

use crate::route::spec::{MOST_BACKOFF, MOST_RETRIES, RouteRetry};

/// A rule's `retry`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RuleRetry {
    /// With the first one.
    attempts: Option<u32>,
    backoff: Option<Backoff>,
    /// In order.
    codes: Option<Arc<[u16]>>,
}

impl RuleRetry {
    /// What was not validated is brought within the bounds.
    pub(super) fn of(spec: &RouteRetry) -> Self {
        let mut codes = spec.codes.clone();
        codes.sort_unstable();
        codes.dedup();
        Self {
            attempts: spec.attempts.map(|retries| retries.min(MOST_RETRIES) + 1),
            backoff: spec.backoff.and_then(|pause| backoff(pause.get())),
            codes: (!codes.is_empty()).then(|| codes.into()),
        }
    }

    /// `policy` with what the rule states in its place.
    pub fn over(&self, mut policy: RetryPolicy) -> RetryPolicy {
        if let Some(attempts) = self.attempts
            && let Ok(stated) = policy.with_attempts(attempts)
        {
            policy = stated;
        }
        if let Some(backoff) = self.backoff {
            policy = policy.with_backoff(backoff);
        }
        if self.codes.is_some() {
            let retry_on = policy.retry_on();
            policy = policy.with_retry_on(retry_on.with(REFUSED).with(FAILED));
        }
        policy
    }

    /// As what an answer of `status` failed, where the rule names the statuses: those, whatever they mean elsewhere, and
    /// no others. `None` for an answer that stands; the outer one where the rule names none.
    pub fn failure(&self, status: u16) -> Option<Option<FailureClass>> {
        let codes = self.codes.as_ref()?;
        Some(match codes.binary_search(&status) {
            Err(_) => None,
            // The service has not begun with the request.
            Ok(_) if status == 429 => Some(REFUSED),
            Ok(_) => Some(FAILED),
        })
    }
}

const REFUSED: FailureClass = FailureClass::Refused;
const FAILED: FailureClass = FailureClass::ServerError;

/// At least `pause` and half as much before the first retry at most; then up to twice as long each time, and to ten
/// times `pause` in the end, as Envoy's.
fn backoff(pause: Duration) -> Option<Backoff> {
    let pause = pause.min(MOST_BACKOFF);
    let backoff = Backoff::new(pause + pause / 2, 10 * pause).ok()?;
    backoff.with_least(pause).ok()
}

#[cfg(test)]
mod tests {
    use guildhall_resilience::retry::FailureClasses;
    use serde_json::json;

    use super::*;

    fn retry(spec: serde_json::Value) -> RuleRetry {
        RuleRetry::of(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn what_is_stated_wins_and_the_rest_stays() {
        let policy = RetryPolicy::default()
            .with_retry_on(FailureClasses::of(&[FailureClass::Connect]))
            .with_attempts(5)
            .unwrap();
        assert_eq!(retry(json!({})).over(policy), policy);
        let attempts = retry(json!({"attempts": 1})).over(policy);
        assert_eq!(attempts, policy.with_attempts(2).unwrap());
        assert_eq!(
            retry(json!({"attempts": 4_000_000}))
                .over(policy)
                .attempts(),
            100
        );
        let codes = retry(json!({"codes": [503]})).over(policy);
        assert_eq!(codes.attempts(), 5);
        assert!(codes.retry_on().contains(FailureClass::Connect));
        assert!(!codes.retry_on().contains(FailureClass::Reset));
    }

    #[test]
    fn the_codes_named_are_worth_another_attempt_and_no_others() {
        let named = retry(json!({"codes": [503, 429, 409, 503]}));
        for (status, class) in [
            (200, None),
            (409, Some(FailureClass::ServerError)),
            (429, Some(FailureClass::Refused)),
            (500, None),
            (503, Some(FailureClass::ServerError)),
        ] {
            assert_eq!(named.failure(status), Some(class), "{status}");
        }
        assert_eq!(retry(json!({"attempts": 1})).failure(503), None);
    }

    #[test]
    fn no_pause_is_shorter_than_the_backoff() {
        let mut random = fastrand::Rng::with_seed(1);
        let millis = Duration::from_millis;
        let pauses = backoff(millis(100)).unwrap();
        for (nth, most) in [(1, 150), (2, 300), (3, 600), (4, 1000), (50, 1000)] {
            assert_eq!(pauses.ceiling(nth), millis(most));
            for _ in 0..100 {
                let pause = pauses.pause(nth, &mut random);
                assert!((millis(100)..=millis(most)).contains(&pause), "{pause:?}");
            }
        }
        assert_eq!(backoff(Duration::ZERO).unwrap().ceiling(9), Duration::ZERO);
        assert!(backoff(Duration::MAX).is_some());
    }
}
