//! The retry budget's only promise that threads could break: never more retries than there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_resilience::retry::{Budget, BudgetConfig};
use loom::thread;

/// Two threads take from a budget of one retry (two requests at a half), `ahead` apart; says how many they get.
fn both_take(ahead: Duration) {
    #[expect(clippy::disallowed_methods, reason = "some instant to begin with")]
    let now = Instant::now();
    let mut builder = loom::model::Builder::new();
    // Two threads that interfere more often than this find nothing that fewer do not.
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let budget = Arc::new(Budget::new(BudgetConfig::new(0.5, 0).unwrap(), now));
        budget.deposit(now);
        budget.deposit(now);
        let theirs = Arc::clone(&budget);
        let thread = thread::spawn(move || theirs.withdraw(now + ahead));
        let granted = u64::from(budget.withdraw(now)) + u64::from(thread.join().unwrap());
        assert!(granted <= 1, "two retries where there was one");
        assert_eq!(
            budget.status(now).retries,
            granted,
            "what was struck out is gone"
        );
    });
}

#[test]
fn two_in_the_same_second_never_take_more_than_there_is() {
    both_take(Duration::ZERO);
}

#[test]
fn two_in_neighbouring_seconds_never_take_more_than_there_is() {
    both_take(Duration::from_secs(1));
}
