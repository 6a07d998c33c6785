//! Runs the checks, all at once, each with a deadline, and never twice at the same time.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, future::BoxFuture};
use serde::Serialize;
use tokio::sync::{Mutex, watch};

use super::CheckOutcome;
use crate::clock;

/// How long one check may take.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How old a report may be that is answered again: many who ask cost one run of the checks.
const FRESH: Duration = Duration::from_millis(500);

type Check = Box<dyn Fn() -> BoxFuture<'static, CheckOutcome> + Send + Sync>;

/// All checks of a service.
#[derive(Default)]
pub(crate) struct Checks {
    checks: Vec<(String, Check)>,
    last: Mutex<Option<(Instant, Arc<Report>)>>,
    /// Whether the last report was a good one.
    verdict: watch::Sender<bool>,
}

/// What all checks say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Report {
    pub(crate) healthy: bool,
    pub(crate) checks: BTreeMap<String, CheckOutcome>,
}

impl Report {
    /// What is wrong, on one line.
    pub(crate) fn complaint(&self) -> String {
        let failed = self.checks.iter().filter(|(_, outcome)| !outcome.healthy);
        let said = failed.map(|(name, outcome)| {
            format!(
                "{name}: {}",
                outcome.error.as_deref().unwrap_or("unhealthy")
            )
        });
        said.collect::<Vec<_>>().join("; ")
    }
}

impl Checks {
    /// Adds a check; one of the same name is replaced.
    pub(crate) fn add<F, Fut>(&mut self, name: &str, check: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Into<CheckOutcome>,
    {
        self.checks.retain(|(known, _)| known != name);
        let check: Check = Box::new(move || check().map(Into::into).boxed());
        self.checks.push((name.to_owned(), check));
    }

    /// Runs every check, or answers what was found a moment ago.
    pub(crate) async fn report(&self) -> Arc<Report> {
        let mut last = self.last.lock().await;
        let now = clock::now();
        if let Some((at, report)) = &*last
            && now.saturating_duration_since(*at) < FRESH
        {
            return report.clone();
        }
        let runs = self
            .checks
            .iter()
            .map(|(name, check)| async move { (name.clone(), run(check).await) });
        let checks: BTreeMap<_, _> = futures_util::future::join_all(runs)
            .await
            .into_iter()
            .collect();
        let healthy = checks.values().all(|outcome| outcome.healthy);
        let report = Arc::new(Report { healthy, checks });
        *last = Some((clock::now(), report.clone()));
        self.verdict.send_if_modified(|verdict| {
            let changed = *verdict != healthy;
            *verdict = healthy;
            changed
        });
        report
    }

    /// Tells when a report says other than the one before. It takes somebody who asks for reports.
    #[cfg(feature = "grpc")]
    pub(crate) fn subscribe(&self) -> watch::Receiver<bool> {
        self.verdict.subscribe()
    }
}

async fn run(check: &Check) -> CheckOutcome {
    // The author's code may panic when it is called and when it is awaited.
    let guarded = AssertUnwindSafe(async { check().await }).catch_unwind();
    match tokio::time::timeout(TIMEOUT, guarded).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => CheckOutcome::unhealthy("the check panicked; the log says where"),
        Err(_) => CheckOutcome::unhealthy(format!("the check did not answer within {TIMEOUT:?}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_or_panics_is_unhealthy_and_the_others_are_not() {
        let mut checks = Checks::default();
        checks.add("good", || async { true });
        checks.add("hangs", std::future::pending::<bool>);
        checks.add("panics", || async { panic!("a test's panic") as bool });
        checks.add("replaced", || async { false });
        checks.add("replaced", || async { Ok::<(), String>(()) });
        let report = checks.report().await;
        let healthy = |name: &str| report.checks[name].healthy;
        assert!(!report.healthy && healthy("good") && healthy("replaced"));
        assert!(!healthy("hangs") && !healthy("panics"));
        assert_eq!(
            report.complaint(),
            "hangs: the check did not answer within 2s; panics: the check panicked; the log says where"
        );
    }

    #[tokio::test]
    async fn many_who_ask_at_once_cost_one_run() {
        let runs = Arc::new(AtomicUsize::new(0));
        let count = runs.clone();
        let mut checks = Checks::default();
        checks.add("counted", move || {
            count.fetch_add(1, Ordering::Relaxed);
            async { true }
        });
        futures_util::future::join_all((0..100).map(|_| checks.report())).await;
        assert_eq!(runs.load(Ordering::Relaxed), 1);
    }
}
