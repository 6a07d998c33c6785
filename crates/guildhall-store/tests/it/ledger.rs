//! Clients that count, and the book that is kept of them: what they were promised must be found, whole and in order.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_store::{
    BlobHash, CommitError, Compare, Event, Op, Range, Store, Transaction, WatchItem,
    embedded::{Directories, HistoryOptions, Offline, Options},
};

use crate::{model::next, support::small};

pub(crate) const CLIENTS: u64 = 6;
/// Keys that every transaction of a client sets to the same number.
const KEYS: [&str; 3] = ["a", "b", "c"];

pub(crate) fn options() -> Options {
    let mut options = small();
    options.log.segment_size = 64 << 10;
    options.checkpoint_after = 32 << 10;
    // So short that garbage is collected under way, and that a blob may be gone before it is named.
    options.blob_grace = Duration::from_millis(20);
    // More than any cycle commits.
    options.history = HistoryOptions {
        revisions: 10_000,
        ..HistoryOptions::default()
    };
    options
}

fn name(client: u64, key: &str) -> String {
    format!("client/{client}/{key}")
}

/// Counts up from wherever the last life ended, until a commit fails. Reports client, number and revision. Every third
/// number is kept in a blob too.
pub(crate) async fn work(
    store: Arc<dyn Store>,
    client: u64,
    report: impl Fn(u64, u64, u64),
) -> CommitError {
    let counter = name(client, KEYS[0]);
    let (mut count, mut revision) = match store.get(counter.as_bytes()).await.unwrap() {
        Some(entry) => (number(&entry.value), entry.modified),
        None => (0, 0),
    };
    loop {
        count += 1;
        let before = if revision == 0 {
            Compare::absent(counter.clone())
        } else {
            Compare::modified(counter.clone(), revision)
        };
        // Values of many lengths, so that a torn write can end anywhere.
        let value = format!("{count:>width$}", width = 10 + (count * 37 % 400) as usize);
        let committed = loop {
            let mut blobs = Vec::new();
            if count.is_multiple_of(3) {
                match store.blob_put(content(client, &value).into()).await {
                    Ok(blob) => blobs.push(blob),
                    Err(error) => return CommitError::Unknown(error.to_string()),
                }
            }
            let first = Transaction::new().when(before.clone());
            let transaction = KEYS.iter().fold(first, |transaction, key| {
                transaction.then(Op::Put {
                    key: name(client, key).into(),
                    value: value.clone().into(),
                    lease: None,
                    blobs: blobs.clone(),
                })
            });
            match store.commit(transaction).await {
                Err(CommitError::BlobMissing { .. }) => {}
                committed => break committed,
            }
        };
        match committed {
            Ok(committed) => revision = committed.index.revision,
            Err(error) => return error,
        }
        report(client, count, revision);
    }
}

/// A blob of up to some thousand bytes, of this client's only.
fn content(client: u64, value: &str) -> Vec<u8> {
    format!("{client} {}", value.repeat(1 + value.len() % 10)).into_bytes()
}

/// What was acknowledged: for each revision which client counted to which number.
pub(crate) type Acknowledged = BTreeMap<u64, (u64, u64)>;

/// What is known of a store over its lives.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) revision: u64,
    /// How far each client has counted.
    numbers: BTreeMap<u64, u64>,
}

impl Ledger {
    /// Opens what a life left, compares it with what was promised, and takes note of it.
    pub(crate) fn settle(&mut self, directories: Directories, acknowledged: &Acknowledged) {
        let now = Instant::now();
        let store = Offline::open(directories, &options(), 1, now).unwrap();
        let last = store.index().revision;

        // Every revision since the last life, in order, each of them one whole step of one client.
        let mut watch = store.watch(b"client/", Some(self.revision + 1)).unwrap();
        for revision in self.revision + 1..=last {
            let item = next(&mut watch);
            let Some(Ok(WatchItem::Changes(batch))) = item else {
                panic!("{item:?} instead of revision {revision}");
            };
            assert_eq!(batch.revision, revision);
            let (client, number) = step(&batch.events);
            let counted = self.numbers.entry(client).or_insert(0);
            *counted += 1;
            assert_eq!(number, *counted, "client {client} at revision {revision}");
            if let Some(promised) = acknowledged.get(&revision) {
                assert_eq!(*promised, (client, number), "at revision {revision}");
            }
        }
        self.revision = last;
        let promised = acknowledged.keys().last().copied().unwrap_or(0);
        assert!(
            last >= promised,
            "revision {promised} was acknowledged, {last} is the last"
        );
        assert_eq!(last, self.numbers.values().sum::<u64>());

        let entries = store.range(&Range::prefix(""), now).unwrap().entries;
        assert_eq!(entries.len(), self.numbers.len() * KEYS.len());
        for entry in entries {
            let key = String::from_utf8_lossy(&entry.key).into_owned();
            let client: u64 = key.split('/').nth(1).unwrap().parse().unwrap();
            assert_eq!(number(&entry.value), self.numbers[&client], "{key}");
            if self.numbers[&client].is_multiple_of(3) {
                let content = content(client, std::str::from_utf8(&entry.value).unwrap());
                assert_eq!(entry.blobs[..], [BlobHash::of(&content)], "{key}");
                let blob = store.blob_get(entry.blobs[0]).unwrap();
                assert_eq!(blob.as_deref(), Some(&content[..]), "{key}");
            }
        }
    }
}

fn number(value: &[u8]) -> u64 {
    std::str::from_utf8(value).unwrap().trim().parse().unwrap()
}

/// Which client counted to which number, if these are all the changes of that.
fn step(events: &[Event]) -> (u64, u64) {
    let mut steps = events.iter().zip(KEYS).map(|(event, key)| {
        let Event::Put(entry) = event else {
            panic!("{event:?}")
        };
        let text = String::from_utf8_lossy(&entry.key);
        let client = text
            .strip_prefix("client/")
            .unwrap()
            .strip_suffix(&format!("/{key}"))
            .unwrap();
        (client.parse().unwrap(), number(&entry.value))
    });
    assert_eq!(events.len(), KEYS.len(), "half a transaction");
    let first = steps.next().unwrap();
    assert!(steps.all(|step| step == first), "half a transaction");
    first
}
