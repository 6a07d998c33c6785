//! Prefixes and pages.

use std::sync::Arc;

use super::{delete, done, put, within};
use crate::{Op, Page, Range, ReadError, Store, Transaction};

async fn range(store: &Arc<dyn Store>, range: Range) -> Page {
    within("a range", store.range(range)).await.expect("a page")
}

/// Exactly the keys that begin with the prefix, in the order of their bytes.
pub async fn prefixes_have_sharp_edges(store: &Arc<dyn Store>) {
    let keys: [&'static [u8]; 8] = [
        b"a",
        b"a/",
        b"a/1",
        b"a/1/x",
        b"a/\xff",
        b"a/\xff\xff",
        b"a0",
        b"\xff\xff",
    ];
    let create = keys
        .into_iter()
        .fold(Transaction::new(), |all, key| all.then(Op::put(key, "")));
    let revision = done(store, create).await.index.revision;
    for prefix in [
        &b""[..],
        b"a",
        b"a/",
        b"a/1",
        b"a/2",
        b"a/\xff",
        b"b",
        b"\xff",
        b"\xff\xff",
        b"\xff\xff\xff",
    ] {
        let mut expected: Vec<&[u8]> = keys
            .into_iter()
            .filter(|key| key.starts_with(prefix))
            .collect();
        expected.sort_unstable();
        let page = range(store, Range::prefix(prefix)).await;
        let found: Vec<&[u8]> = page.entries.iter().map(|entry| &entry.key[..]).collect();
        assert_eq!(
            (found, page.more, page.revision),
            (expected, false, revision),
            "{prefix:?}"
        );
    }
    let exact = range(store, Range::prefix("a/").limit(5)).await;
    assert_eq!((exact.entries.len(), exact.more), (5, false));
    let short = range(store, Range::prefix("a/").limit(4)).await;
    assert_eq!((short.entries.len(), short.more), (4, true));
    let outside = range(
        store,
        Range {
            start_after: Some("a".into()),
            ..Range::prefix("a/")
        },
    )
    .await;
    assert_eq!(
        outside.entries.len(),
        5,
        "a start before the prefix is the prefix"
    );
}

/// All pages show the state at the first page's revision, whatever is written meanwhile.
pub async fn pages_of_a_range_show_one_revision(store: &Arc<dyn Store>) {
    for key in 0..100 {
        put(store, &format!("p/{key:03}"), "old").await;
    }
    let whole = range(store, Range::prefix("p/")).await;
    let first = Range::prefix("p/").limit(17);
    let mut page = range(store, first.clone()).await;
    let revision = page.revision;
    let mut read = page.entries.clone();
    while page.more {
        put(store, &format!("p/{:03}", read.len() + 5), "new").await;
        put(store, &format!("p/{:03}x", read.len() + 5), "new").await;
        delete(store, &format!("p/{:03}", read.len() + 6)).await;
        let last = page
            .entries
            .last()
            .expect("a page with more is not empty")
            .key
            .clone();
        page = range(store, first.clone().after(last, revision)).await;
        assert_eq!(page.revision, revision);
        read.extend(page.entries.iter().cloned());
    }
    assert_eq!(read, whole.entries);
    let now = range(store, Range::prefix("p/")).await;
    assert!(now.revision > revision && now.entries != read);
}

/// After a compaction the next page says so instead of showing another revision.
pub async fn a_compacted_page_says_so(store: &Arc<dyn Store>) {
    for key in 0..10 {
        put(store, &format!("p/{key}"), "").await;
    }
    let first = Range::prefix("p/").limit(5);
    let page = range(store, first.clone()).await;
    assert!(page.more);
    put(store, "p/1", "").await;
    let now = store.index().revision;
    within("a compaction", store.compact(now))
        .await
        .expect("a compaction");
    let next = within("a range", store.range(first.after("p/4", page.revision))).await;
    let Err(ReadError::Compacted { oldest }) = next else {
        panic!("{next:?}")
    };
    assert!(oldest > page.revision && oldest <= now, "{oldest}");
}
