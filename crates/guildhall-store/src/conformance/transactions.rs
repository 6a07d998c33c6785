//! Compares, atomicity, limits, revisions, concurrency.

use std::sync::Arc;

use super::{attempt, delete, done, get, put, value, within};
use crate::{
    CommitError, Compare, Condition, LeaseId, MAX_OPERATIONS, MAX_TRANSACTION_BYTES, Op, Range,
    Store, Transaction, TransactionError,
};

/// Every condition against an entry that fits, one that does not, and none.
pub async fn each_condition_holds_or_conflicts(store: &Arc<dyn Store>) {
    let created = put(store, "k", "a").await.index.revision;
    let modified = put(store, "k", "b").await.index.revision;
    let lease = within(
        "a grant",
        store.lease_grant(std::time::Duration::from_secs(60)),
    )
    .await
    .expect("a lease");
    done(
        store,
        Transaction::new().then(Op::put_leased("leased", "", lease)),
    )
    .await;
    let other = LeaseId::new(lease.get() - 1);
    for (key, condition, expected) in [
        ("k", Condition::Absent, false),
        ("none", Condition::Absent, true),
        ("k", Condition::Present, true),
        ("none", Condition::Present, false),
        ("k", Condition::Created(created), true),
        ("k", Condition::Created(modified), false),
        ("none", Condition::Created(created), false),
        ("none", Condition::Created(0), false),
        ("k", Condition::Modified(modified), true),
        ("k", Condition::Modified(created), false),
        ("none", Condition::Modified(0), false),
        ("k", Condition::Version(2), true),
        ("k", Condition::Version(1), false),
        ("none", Condition::Version(0), false),
        ("k", Condition::Value("b".into()), true),
        ("k", Condition::Value("a".into()), false),
        ("none", Condition::Value("".into()), false),
        ("k", Condition::Lease(None), true),
        ("leased", Condition::Lease(None), false),
        ("leased", Condition::Lease(Some(lease)), true),
        ("leased", Condition::Lease(other), false),
        ("none", Condition::Lease(None), false),
    ] {
        let before = store.index();
        let only_compare = Transaction::new().when(Compare::new(key, condition.clone()));
        let with_change = only_compare.clone().then(Op::put("touched", ""));
        match attempt(store, only_compare).await {
            Ok(committed) => {
                assert!(expected, "{condition:?} on {key} held");
                assert_eq!((committed.index, committed.changed), (before, false));
            }
            Err(CommitError::Conflict { at: 0, index }) => {
                assert!(!expected, "{condition:?} on {key} did not hold");
                assert_eq!(index, before);
            }
            Err(error) => panic!("{condition:?} on {key}: {error}"),
        }
        let changed = attempt(store, with_change).await.is_ok();
        assert_eq!(changed, expected, "{condition:?} on {key} with a change");
        assert_eq!(
            store.index().revision - before.revision,
            u64::from(expected)
        );
    }
}

/// One compare that does not hold, and nothing happens.
pub async fn a_transaction_is_all_or_nothing(store: &Arc<dyn Store>) {
    put(store, "a", "1").await;
    let both = |third: &'static str| {
        Transaction::new()
            .when(Compare::present("a"))
            .when(Compare::absent("b"))
            .when(Compare::present(third))
            .then(Op::put("a", "2"))
            .then(Op::put("b", "2"))
            .then(Op::delete("c"))
    };
    put(store, "c", "1").await;
    let before = store.index();
    let refused = attempt(store, both("none")).await;
    assert_eq!(
        refused,
        Err(CommitError::Conflict {
            at: 2,
            index: before
        })
    );
    assert_eq!(value(store, "a").await.as_deref(), Some(&b"1"[..]));
    assert_eq!((value(store, "b").await, store.index()), (None, before));

    let committed = done(store, both("a")).await;
    let (a, b) = (
        get(store, "a").await.expect("a"),
        get(store, "b").await.expect("b"),
    );
    assert_eq!(a.modified, committed.index.revision);
    assert_eq!(
        (b.created, b.modified),
        (a.modified, a.modified),
        "one revision for all"
    );
    assert_eq!(get(store, "c").await, None);
}

/// The limits are the same everywhere, and the largest transaction within them is taken.
pub async fn limits_are_refused(store: &Arc<dyn Store>) {
    let many = |count: usize| {
        (0..count).fold(Transaction::new(), |many, key| {
            many.then(Op::put(key.to_string(), ""))
        })
    };
    assert!(done(store, many(MAX_OPERATIONS)).await.changed);
    assert_eq!(
        attempt(store, many(MAX_OPERATIONS + 1)).await,
        Err(TransactionError::TooManyOperations {
            count: MAX_OPERATIONS + 1
        }
        .into())
    );
    let large = |bytes: usize| Transaction::new().then(Op::put("k", vec![7; bytes - 1]));
    assert!(done(store, large(MAX_TRANSACTION_BYTES)).await.changed);
    assert_eq!(
        attempt(store, large(MAX_TRANSACTION_BYTES + 1)).await,
        Err(TransactionError::TooLarge {
            bytes: MAX_TRANSACTION_BYTES + 1
        }
        .into())
    );
    let twice = Transaction::new()
        .then(Op::put("k", ""))
        .then(Op::delete("k"));
    assert_eq!(
        attempt(store, twice).await,
        Err(TransactionError::DuplicateKey { key: "k".into() }.into())
    );
    let empty = Transaction::new().then(Op::put("", ""));
    assert_eq!(
        attempt(store, empty).await,
        Err(TransactionError::EmptyKey.into())
    );
}

/// What changes something takes the next revision; what changes nothing takes none.
pub async fn each_change_takes_one_revision(store: &Arc<dyn Store>) {
    let start = put(store, "a", "1").await.index;
    assert_eq!(store.index(), start);
    let same = put(store, "a", "1").await;
    assert_eq!(
        (same.index.revision, same.changed),
        (start.revision + 1, true),
        "an equal value is a change"
    );
    let nothing = delete(store, "none").await;
    assert_eq!(
        (nothing.index.revision, nothing.changed),
        (start.revision + 1, false)
    );
    let empty = done(store, Transaction::new()).await;
    assert_eq!(
        (empty.index.revision, empty.changed),
        (start.revision + 1, false)
    );
    let three = Transaction::new()
        .then(Op::put("b", ""))
        .then(Op::put("c", ""))
        .then(Op::delete("a"));
    let three = done(store, three).await;
    assert_eq!(
        (three.index.revision, three.changed),
        (start.revision + 2, true)
    );
    assert_eq!(three.index.incarnation, start.incarnation);
}

/// `created`, `modified` and `version` over a key's lives; values are bytes.
pub async fn entries_tell_their_history(store: &Arc<dyn Store>) {
    let first = put(store, "k", "").await.index.revision;
    let entry = get(store, "k").await.expect("an entry");
    assert_eq!(
        (entry.created, entry.modified, entry.version),
        (first, first, 1)
    );
    assert_eq!(
        (&entry.key[..], &entry.value[..], entry.lease),
        (&b"k"[..], &b""[..], None)
    );
    let binary: Vec<u8> = (0..=255).collect();
    let second = done(store, Transaction::new().then(Op::put("k", binary.clone())))
        .await
        .index
        .revision;
    let entry = get(store, "k").await.expect("an entry");
    assert_eq!(
        (entry.created, entry.modified, entry.version),
        (first, second, 2)
    );
    assert_eq!(entry.value, binary);
    delete(store, "k").await;
    assert_eq!(get(store, "k").await, None);
    let third = put(store, "k", "again").await.index.revision;
    let entry = get(store, "k").await.expect("an entry");
    assert_eq!(
        (entry.created, entry.modified, entry.version),
        (third, third, 1)
    );
}

/// Whoever was answered reads the result, from many tasks at once.
pub async fn a_commit_is_read_at_once(store: &Arc<dyn Store>) {
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for round in 0..20 {
                let (key, expected) = (format!("w/{writer}/{}", round % 3), round.to_string());
                let committed = put(&store, &key, &expected).await;
                let entry = get(&store, &key).await.expect("what was just put");
                assert_eq!(
                    (entry.modified, &entry.value[..]),
                    (committed.index.revision, expected.as_bytes())
                );
                assert!(store.index().covers(committed.index));
                let page = store
                    .range(Range::prefix(format!("w/{writer}/")))
                    .await
                    .expect("a page");
                assert!(page.revision >= committed.index.revision);
                assert!(page.entries.contains(&entry));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        within("a writer", writer).await.expect("a writer");
    }
}

/// Increments by compare-and-set from many tasks: none is lost, none happens twice, each has a revision of its own.
pub async fn counters_lose_no_increment(store: &Arc<dyn Store>) {
    const TASKS: usize = 8;
    const EACH: usize = 20;
    put(store, "counter", "0").await;
    let tasks = (0..TASKS).map(|_| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while seen.len() < EACH {
                let entry = get(&store, "counter").await.expect("the counter");
                let number: usize = std::str::from_utf8(&entry.value)
                    .expect("text")
                    .parse()
                    .expect("a number");
                let next = (number + 1).to_string();
                let increment = Transaction::new()
                    .when(Compare::modified("counter", entry.modified))
                    .then(Op::put("counter", next));
                match attempt(&store, increment).await {
                    Ok(committed) => seen.push((committed.index.revision, number + 1)),
                    Err(CommitError::Conflict { at: 0, index }) => {
                        assert!(index.revision >= entry.modified)
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            seen
        })
    });
    let mut all = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        all.extend(within("a task", task).await.expect("a task"));
    }
    all.sort_unstable();
    let numbers: Vec<usize> = all.iter().map(|(_, number)| *number).collect();
    assert_eq!(
        numbers,
        (1..=TASKS * EACH).collect::<Vec<_>>(),
        "in the order of their revisions"
    );
    assert_eq!(
        value(store, "counter").await.expect("the counter"),
        (TASKS * EACH).to_string()
    );
}

/// Many tasks create the same key: one does, and it is its value that stands.
pub async fn one_of_many_creates_wins(store: &Arc<dyn Store>) {
    let tasks = (0..16).map(|task| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let create = Transaction::new()
                .when(Compare::absent("lock"))
                .then(Op::put("lock", task.to_string()));
            attempt(&store, create).await.is_ok().then_some(task)
        })
    });
    let mut winners = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        winners.extend(within("a task", task).await.expect("a task"));
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(
        value(store, "lock").await.expect("the lock"),
        winners[0].to_string()
    );
}
