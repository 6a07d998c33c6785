//! What watchers get, and when they are woken.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    task::Wake,
};

use super::{
    super::{clock, history::HistoryOptions},
    *,
};

/// Counts how often it is woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

struct Bench {
    feed: Arc<Feed>,
    now: Instant,
}

impl Bench {
    fn new(revisions: usize) -> Self {
        let options = HistoryOptions {
            revisions,
            ..HistoryOptions::default()
        };
        Self {
            feed: Arc::new(Feed::new(History::new(options, 0))),
            now: clock::now(),
        }
    }

    /// Publishes one revision that deletes these keys.
    fn publish(&self, keys: &[&'static str]) {
        let revision = self.feed.lock().history.head() + 1;
        let events = keys
            .iter()
            .map(|key| Event::Delete { key: (*key).into() })
            .collect();
        let mut group = vec![(WatchBatch { revision, events }, Sequence::new(revision))];
        self.feed.publish(&mut group, self.now);
    }

    fn watch(&self, prefix: &str, from: Option<u64>) -> Result<Follow, WatchError> {
        let watch = self.feed.watch(prefix.as_bytes(), from)?;
        Ok(Follow {
            watch,
            wakes: Arc::default(),
        })
    }
}

struct Follow {
    watch: Watch,
    wakes: Arc<Counter>,
}

impl Follow {
    /// All items there are now: `revision:key,key` or `=revision` for a bookmark, or the error.
    fn items(&mut self) -> String {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let mut items = Vec::new();
        while let Poll::Ready(item) = self.watch.poll_next(&mut Context::from_waker(&waker)) {
            items.push(match item {
                Ok(WatchItem::Bookmark(revision)) => format!("={revision}"),
                Ok(WatchItem::Changes(batch)) => {
                    let keys = batch
                        .events
                        .iter()
                        .map(|event| String::from_utf8_lossy(event.key()));
                    format!("{}:{}", batch.revision, keys.collect::<Vec<_>>().join(","))
                }
                Err(error) => {
                    items.push(format!("{error:?}"));
                    break;
                }
            });
        }
        items.join(" ")
    }

    fn wakes(&self) -> usize {
        self.wakes.0.swap(0, SeqCst)
    }
}

#[test]
fn a_watcher_wakes_once_and_only_for_its_prefix() {
    let bench = Bench::new(100);
    bench.publish(&["a/1"]);
    let mut a = bench.watch("a/", None).unwrap();
    let mut all = bench.watch("", Some(1)).unwrap();
    assert_eq!(
        (a.items(), all.items()),
        ("=1".to_owned(), "1:a/1 =1".to_owned())
    );

    bench.publish(&["b/1"]);
    assert_eq!((a.wakes(), all.wakes()), (0, 1));
    bench.publish(&["b/2", "a/2", "a"]);
    bench.publish(&["a/3"]);
    assert_eq!((a.wakes(), all.wakes()), (1, 0), "awake already");
    assert_eq!(a.items(), "3:a/2 4:a/3");
    assert_eq!(all.items(), "2:b/1 3:b/2,a/2,a 4:a/3");
}

#[test]
fn a_quiet_watcher_learns_on_request_and_now_and_then_how_far_it_is() {
    let bench = Bench::new(10);
    let mut a = bench.watch("a/", None).unwrap();
    assert_eq!(a.items(), "=0");
    for _ in 0..BOOKMARK_EVERY / 2 {
        bench.publish(&["b/"]);
    }
    assert_eq!(
        a.items(),
        "",
        "nothing pending, although its place has left the history"
    );
    a.watch.progress().request();
    assert_eq!(a.wakes(), 1);
    assert_eq!(a.items(), "=500");
    for _ in 0..BOOKMARK_EVERY / 2 {
        bench.publish(&["b/"]);
    }
    assert_eq!((a.wakes(), a.items()), (1, "=1000".to_owned()));
}

#[test]
fn too_slow_is_overflow_and_too_early_is_compacted() {
    let bench = Bench::new(3);
    let mut a = bench.watch("a", None).unwrap();
    assert_eq!(a.items(), "=0");
    bench.publish(&["a"]);
    for _ in 0..3 {
        bench.publish(&["b"]);
    }
    assert_eq!(a.items(), "Overflow");
    assert_eq!(a.items(), "Overflow", "and stays so");
    assert_eq!(
        bench.watch("a", Some(1)).err(),
        Some(WatchError::Compacted { oldest: 2 })
    );
    assert_eq!(bench.watch("", Some(2)).unwrap().items(), "2:b 3:b 4:b =4");
}

#[test]
fn a_watch_from_the_future_sees_nothing_before() {
    let bench = Bench::new(10);
    let mut next = bench.watch("", Some(1)).unwrap();
    let mut third = bench.watch("", Some(3)).unwrap();
    assert_eq!(
        (next.items(), third.items()),
        ("=0".to_owned(), String::new())
    );
    (0..4).for_each(|_| bench.publish(&["a"]));
    assert_eq!(next.items(), "1:a 2:a 3:a 4:a");
    assert_eq!(third.items(), "3:a 4:a");
}

#[test]
fn a_long_history_is_looked_at_in_pieces_and_in_full() {
    let bench = Bench::new(10_000);
    for _ in 0..LOOK * 2 {
        bench.publish(&["b"]);
    }
    bench.publish(&["a"]);
    bench.publish(&["b"]);
    let mut a = bench.watch("a", Some(1)).unwrap();
    assert_eq!(a.items(), "2049:a =2050");
    let items = bench.watch("b", Some(1)).unwrap().items();
    assert_eq!(
        items.split(' ').count(),
        LOOK * 2 + 2,
        "each revision and a bookmark"
    );
}

#[test]
fn closing_ends_every_watch_and_dropping_forgets_it() {
    let bench = Bench::new(10);
    let mut a = bench.watch("a", None).unwrap();
    drop(bench.watch("a/b", None).unwrap());
    assert_eq!(bench.feed.lock().lengths, BTreeMap::from([(1, 1)]));
    assert_eq!(a.items(), "=0");
    bench.feed.close();
    assert_eq!(
        (a.wakes(), a.items()),
        (1, "Unavailable(Stopped)".to_owned())
    );
    drop(a);
    assert!(bench.feed.lock().by_prefix.is_empty());
}
