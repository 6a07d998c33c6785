//! Following changes.

use std::{collections::BTreeMap, sync::Arc};

use super::{changes, delete, done, get, item, put, reach, watch, within};
use crate::{Event, Op, Store, Transaction, WatchBatch, WatchError, WatchItem};

/// A batch as text: `revision: key=value@created.version, -key`.
fn text(batch: &WatchBatch) -> String {
    let events = batch.events.iter().map(|event| match event {
        Event::Put(entry) => {
            assert_eq!(entry.modified, batch.revision);
            let (key, value) = (
                String::from_utf8_lossy(&entry.key),
                String::from_utf8_lossy(&entry.value),
            );
            format!("{key}={value}@{}.{}", entry.created, entry.version)
        }
        Event::Delete { key } => format!("-{}", String::from_utf8_lossy(key)),
    });
    format!(
        "{}: {}",
        batch.revision,
        events.collect::<Vec<_>>().join(", ")
    )
}

/// Without a revision: a bookmark that says where it starts, then everything later.
pub async fn a_watch_starts_now(store: &Arc<dyn Store>) {
    let before = put(store, "k", "1").await.index.revision;
    let mut watch = watch(store, "", None).await;
    assert_eq!(item(&mut watch).await, Ok(WatchItem::Bookmark(before)));
    let put_at = put(store, "k", "2").await.index.revision;
    let delete_at = delete(store, "k").await.index.revision;
    assert_eq!(
        text(&changes(&mut watch).await),
        format!("{put_at}: k=2@{before}.2")
    );
    assert_eq!(text(&changes(&mut watch).await), format!("{delete_at}: -k"));
}

/// From a revision in the past, the present and the future.
pub async fn a_watch_starts_at_a_revision(store: &Arc<dyn Store>) {
    let first = put(store, "k", "0").await.index.revision;
    for number in 1..5 {
        put(store, "k", &number.to_string()).await;
    }
    let mut past = watch(store, "k", Some(first + 1)).await;
    let mut present = watch(store, "k", Some(first + 5)).await;
    let mut future = watch(store, "k", Some(first + 7)).await;
    for number in 5..9 {
        put(store, "k", &number.to_string()).await;
    }
    for (watch, from) in [(&mut past, 1), (&mut present, 5), (&mut future, 7)] {
        for number in from..9 {
            let expected = format!("{}: k={number}@{first}.{}", first + number, number + 1);
            assert_eq!(text(&changes(watch).await), expected);
        }
    }
}

/// All changes of a revision under the prefix come together, others not at all.
pub async fn a_watch_yields_whole_revisions_of_its_prefix(store: &Arc<dyn Store>) {
    let mut watch = watch(store, "a/", None).await;
    put(store, "a", "outside").await;
    put(store, "a0", "outside").await;
    let several = Transaction::new()
        .then(Op::put("a/1", "x"))
        .then(Op::put("b/1", "outside"))
        .then(Op::put("a/", "y"));
    let one = done(store, several).await.index.revision;
    let several = Transaction::new()
        .then(Op::delete("a/"))
        .then(Op::put("a/2", "z"))
        .then(Op::delete("a/none"));
    let two = done(store, several).await.index.revision;
    // Within a revision the order is the engine's.
    let sorted = |batch: WatchBatch| {
        let text = text(&batch);
        let (revision, events) = text.split_once(": ").expect("a colon");
        let mut events: Vec<&str> = events.split(", ").collect();
        events.sort_unstable();
        format!("{revision}: {}", events.join(", "))
    };
    assert_eq!(
        sorted(changes(&mut watch).await),
        format!("{one}: a/1=x@{one}.1, a/=y@{one}.1")
    );
    assert_eq!(
        sorted(changes(&mut watch).await),
        format!("{two}: -a/, a/2=z@{two}.1")
    );
}

/// Every revision once, in order, whoever wrote it; what was seen adds up to the state.
pub async fn a_watch_sees_every_revision_of_many_writers(store: &Arc<dyn Store>) {
    let start = put(store, "first", "").await.index.revision;
    let mut live = watch(store, "", Some(start + 1)).await;
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for round in 0..25 {
                let key = format!("k/{}", (writer + round) % 10);
                let op = if round % 5 == 4 {
                    Op::delete(key)
                } else {
                    Op::put(key, format!("{writer}.{round}"))
                };
                let own = Op::put(format!("w/{writer}"), round.to_string());
                done(&store, Transaction::new().then(op).then(own)).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        within("a writer", writer).await.expect("a writer");
    }
    let end = store.index().revision;
    assert_eq!(end - start, 200);
    let mut late = watch(store, "", Some(start + 1)).await;
    for watch in [&mut live, &mut late] {
        let mut state = BTreeMap::new();
        for revision in start + 1..=end {
            let batch = changes(watch).await;
            assert_eq!(batch.revision, revision);
            for event in &*batch.events {
                match event {
                    Event::Put(entry) => drop(state.insert(entry.key.clone(), Arc::clone(entry))),
                    Event::Delete { key } => {
                        assert!(state.remove(key).is_some(), "deleted what was there")
                    }
                }
            }
        }
        for (key, entry) in &state {
            assert_eq!(store.get(key).await.expect("a get").as_ref(), Some(entry));
        }
    }
}

/// A request yields an item that covers everything so far, even when nothing concerned the watch.
pub async fn a_watch_bookmarks_on_request(store: &Arc<dyn Store>) {
    let mut quiet = watch(store, "quiet/", None).await;
    let progress = quiet.progress();
    for _ in 0..3 {
        let revision = put(store, "loud", "").await.index.revision;
        progress.request();
        reach(&mut quiet, revision).await;
    }
    let mut resumed = watch(store, "loud", Some(store.index().revision)).await;
    assert_eq!(changes(&mut resumed).await.revision, store.index().revision);
}

/// What was compacted cannot be watched from; what comes after can.
pub async fn a_compacted_watch_says_so(store: &Arc<dyn Store>) {
    let first = put(store, "k", "0").await.index.revision;
    for number in 1..10 {
        put(store, "k", &number.to_string()).await;
    }
    within("a compaction", store.compact(first + 5))
        .await
        .expect("a compaction");
    within("the same again", store.compact(first + 5))
        .await
        .expect("the same again");
    let future = store.index().revision + 1;
    assert!(
        within("a compaction", store.compact(future)).await.is_err(),
        "the future cannot be compacted"
    );

    let early = match within("a watch", store.watch(b"k", Some(first + 1))).await {
        Ok(mut watch) => loop {
            match item(&mut watch).await {
                Ok(WatchItem::Bookmark(_)) => {}
                Ok(WatchItem::Changes(batch)) => panic!("{batch:?}"),
                Err(error) => break error,
            }
        },
        Err(error) => error,
    };
    let WatchError::Compacted { oldest } = early else {
        panic!("{early:?}")
    };
    assert!(oldest > first + 1 && oldest <= first + 6, "{oldest}");
    let mut watch = watch(store, "k", Some(first + 6)).await;
    assert_eq!(changes(&mut watch).await.revision, first + 6);
    assert!(
        store.get(b"k").await.expect("a get").is_some(),
        "current values stay"
    );
}

/// Whoever hears of a revision can read it.
pub async fn a_watched_revision_can_be_read(store: &Arc<dyn Store>) {
    let mut watch = watch(store, "k", None).await;
    let writer = {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for number in 0..50 {
                put(&store, "k", &number.to_string()).await;
            }
        })
    };
    for _ in 0..50 {
        let revision = changes(&mut watch).await.revision;
        assert!(get(store, "k").await.expect("an entry").modified >= revision);
    }
    within("the writer", writer).await.expect("the writer");
}
