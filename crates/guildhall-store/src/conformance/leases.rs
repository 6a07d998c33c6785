//! Leases. Times are real, as an engine's clock is its own; nothing is asserted to be fast.

use std::{sync::Arc, time::Duration};

use super::{attempt, changes, done, get, put, value, watch, within};
use crate::{CommitError, Compare, Condition, Event, LeaseError, LeaseId, Op, Store, Transaction};

/// Long enough not to run out in a test.
const LONG: Duration = Duration::from_secs(300);
const SHORT: Duration = Duration::from_secs(1);

async fn grant(store: &Arc<dyn Store>, ttl: Duration) -> LeaseId {
    within("a grant", store.lease_grant(ttl))
        .await
        .expect("a lease")
}

fn leased(key: &'static str, lease: LeaseId) -> Transaction {
    Transaction::new().then(Op::put_leased(key, "", lease))
}

/// A lease that is not renewed ends, and its keys go in one revision that watchers see.
pub async fn a_lease_takes_its_keys_along(store: &Arc<dyn Store>) {
    let lease = grant(store, SHORT).await;
    done(store, leased("l/1", lease).then(Op::put("l/stays", ""))).await;
    let before = done(store, leased("l/2", lease)).await.index.revision;
    assert_eq!(
        get(store, "l/1").await.expect("an entry").lease,
        Some(lease)
    );
    let mut watch = watch(store, "l/", Some(before + 1)).await;
    let mut gone = Vec::new();
    while gone.len() < 2 {
        let batch = changes(&mut watch).await;
        for event in &*batch.events {
            let Event::Delete { key } = event else {
                panic!("{event:?}")
            };
            gone.push(key.clone());
        }
    }
    gone.sort_unstable();
    assert_eq!(gone, ["l/1", "l/2"]);
    assert_eq!(
        (get(store, "l/1").await, get(store, "l/2").await),
        (None, None)
    );
    assert!(get(store, "l/stays").await.is_some());
    let renewed = within("a renewal", store.lease_keepalive(lease)).await;
    assert_eq!(renewed, Err(LeaseError::Unknown { lease }));
}

/// A lease that is renewed outlives its time to live several times over, while one that is not shows that time passed.
pub async fn a_lease_that_is_renewed_lives(store: &Arc<dyn Store>) {
    let lease = grant(store, SHORT).await;
    done(store, leased("renewed", lease)).await;
    for round in 0..2 {
        let other = grant(store, SHORT).await;
        let other_key = Transaction::new().then(Op::put_leased("other", round.to_string(), other));
        let mut watch = watch(
            store,
            "other",
            Some(done(store, other_key).await.index.revision + 1),
        )
        .await;
        let mut pace = tokio::time::interval(SHORT / 10);
        let renew = async {
            loop {
                pace.tick().await;
                let ttl = within("a renewal", store.lease_keepalive(lease))
                    .await
                    .expect("a renewal");
                assert!(ttl >= SHORT);
            }
        };
        tokio::select! {
            batch = changes(&mut watch) => assert!(matches!(&batch.events[..], [Event::Delete { .. }])),
            () = renew => {}
        }
        assert!(get(store, "renewed").await.is_some());
    }
}

/// Revoking deletes the keys at once, once.
pub async fn a_revoked_lease_is_over(store: &Arc<dyn Store>) {
    let (lease, empty) = (grant(store, LONG).await, grant(store, LONG).await);
    assert_ne!(lease, empty);
    done(store, leased("l/1", lease)).await;
    let before = done(store, leased("l/2", lease)).await.index.revision;
    within("a revocation", store.lease_revoke(lease))
        .await
        .expect("a revocation");
    assert_eq!(
        (get(store, "l/1").await, get(store, "l/2").await),
        (None, None)
    );
    let mut watch = watch(store, "l/", Some(before + 1)).await;
    let batch = changes(&mut watch).await;
    assert_eq!((batch.revision, batch.events.len()), (before + 1, 2));
    let now = put(store, "k", "").await.index.revision;
    within("a revocation", store.lease_revoke(empty))
        .await
        .expect("a revocation");
    assert_eq!(
        put(store, "k", "").await.index.revision,
        now + 1,
        "the end of a lease without keys takes no revision"
    );
    let again = within("a revocation", store.lease_revoke(lease)).await;
    assert_eq!(again, Err(LeaseError::Unknown { lease }));
}

/// A lease that is over, or never was, cannot be used.
pub async fn an_unknown_lease_is_refused(store: &Arc<dyn Store>) {
    let lease = grant(store, LONG).await;
    within("a revocation", store.lease_revoke(lease))
        .await
        .expect("a revocation");
    let before = store.index();
    let refused = attempt(store, leased("k", lease).then(Op::put("other", ""))).await;
    assert_eq!(refused, Err(CommitError::LeaseUnknown { lease }));
    assert_eq!(
        (get(store, "k").await, get(store, "other").await),
        (None, None)
    );
    let never = LeaseId::new(0x1234_5678_9abc).expect("not zero");
    let renewed = within("a renewal", store.lease_keepalive(never)).await;
    assert_eq!(renewed, Err(LeaseError::Unknown { lease: never }));
    assert_eq!(
        within("a grant", store.lease_grant(Duration::ZERO)).await,
        Err(LeaseError::InvalidTtl)
    );
    assert_eq!(
        put(store, "k", "").await.index.revision,
        before.revision + 1
    );
}

/// A later put without the lease, or under another one, takes the key away from it.
pub async fn a_key_leaves_its_lease(store: &Arc<dyn Store>) {
    let (one, two) = (grant(store, LONG).await, grant(store, LONG).await);
    for key in ["free", "moved", "stays"] {
        done(store, leased(key, one)).await;
    }
    put(store, "free", "").await;
    done(store, leased("moved", two)).await;
    within("a revocation", store.lease_revoke(one))
        .await
        .expect("a revocation");
    assert_eq!(get(store, "stays").await, None);
    assert_eq!(get(store, "free").await.expect("an entry").lease, None);
    assert_eq!(
        get(store, "moved").await.expect("an entry").lease,
        Some(two)
    );
    within("a revocation", store.lease_revoke(two))
        .await
        .expect("a revocation");
    assert_eq!(get(store, "moved").await, None);
}

/// The lock pattern: an owner that lost its lease writes no more, though it does not know yet.
pub async fn a_late_owner_is_fenced_off(store: &Arc<dyn Store>) {
    let acquire = |lease| leased("lock", lease).when(Compare::absent("lock"));
    let guarded = |token: u64, value: &'static str| {
        Transaction::new()
            .when(Compare::created("lock", token))
            .then(Op::put("guarded", value))
    };
    let first = grant(store, LONG).await;
    let first_token = done(store, acquire(first)).await.index.revision;
    done(store, guarded(first_token, "first")).await;
    let second = grant(store, LONG).await;
    assert!(matches!(
        attempt(store, acquire(second)).await,
        Err(CommitError::Conflict { at: 0, .. })
    ));

    within("a revocation", store.lease_revoke(first))
        .await
        .expect("a revocation");
    let second_token = done(store, acquire(second)).await.index.revision;
    assert!(second_token > first_token);
    done(store, guarded(second_token, "second")).await;
    let late = attempt(store, guarded(first_token, "late")).await;
    assert!(
        matches!(late, Err(CommitError::Conflict { at: 0, .. })),
        "{late:?}"
    );
    assert_eq!(
        value(store, "guarded").await.as_deref(),
        Some(&b"second"[..])
    );
    let held = Compare::new("lock", Condition::Lease(Some(second)));
    done(
        store,
        Transaction::new().when(held).then(Op::delete("lock")),
    )
    .await;
}
