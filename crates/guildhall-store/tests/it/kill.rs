//! A process that commits for several clients is killed again and again: what it had acknowledged is there, whole, and
//! whoever watches on sees every revision.
//!
//! `GUILDHALL_TEST_CYCLES=5000 cargo test --release -p guildhall-store kill -- --nocapture` for a long run.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_store::{
    Compare, Event, Op, Range, Store, Transaction, WatchItem,
    embedded::{Directories, Embedded, HistoryOptions, Offline, Options},
};
use guildhall_testkit::process::{Worker, argument, report};

use crate::{model::next, support::small};

const CLIENTS: u64 = 6;
/// Keys that every transaction of a client sets to the same number.
const KEYS: [&str; 3] = ["a", "b", "c"];

fn options() -> Options {
    let mut options = small();
    options.log.segment_size = 64 << 10;
    options.checkpoint_after = 32 << 10;
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

/// The process that is killed.
#[test]
fn worker() {
    let Some(directory) = argument() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let store: Arc<dyn Store> = Arc::new(Embedded::open(directory, options()).unwrap());
        let clients = (0..CLIENTS).map(|client| tokio::spawn(work(Arc::clone(&store), client)));
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    });
}

/// Counts up for ever, from wherever the last life ended.
async fn work(store: Arc<dyn Store>, client: u64) {
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
        let transaction = KEYS
            .iter()
            .fold(Transaction::new().when(before), |transaction, key| {
                transaction.then(Op::put(name(client, key), value.clone()))
            });
        revision = store.commit(transaction).await.unwrap().index.revision;
        report(&format!("{client} {count} {revision}"));
    }
}

/// What was acknowledged: for each revision which client counted to which number.
type Acknowledged = BTreeMap<u64, (u64, u64)>;

fn read(acknowledged: &mut Acknowledged, line: &str) {
    let numbers: Vec<u64> = line
        .split(' ')
        .map(|number| number.parse().unwrap())
        .collect();
    let [client, number, revision] = numbers[..] else {
        panic!("{line:?}")
    };
    assert_eq!(
        acknowledged.insert(revision, (client, number)),
        None,
        "a revision acknowledged twice"
    );
}

/// Runs the worker until it is killed: after a number of reports, or at some moment of its start.
fn live_and_die(rng: &mut fastrand::Rng, directory: &Path) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    let mut worker = Worker::spawn("kill::worker", directory.to_str().unwrap()).unwrap();
    if rng.u8(..4) == 0 {
        std::thread::sleep(Duration::from_micros(rng.u64(..40_000)));
    } else {
        for _ in 0..rng.usize(1..300) {
            let line = worker.next().expect("the worker ended by itself");
            read(&mut acknowledged, &line);
        }
    }
    worker
        .kill()
        .unwrap()
        .iter()
        .for_each(|line| read(&mut acknowledged, line));
    acknowledged
}

/// What is known of a store over its lives.
#[derive(Default)]
struct Ledger {
    revision: u64,
    /// How far each client has counted.
    numbers: BTreeMap<u64, u64>,
}

impl Ledger {
    /// Opens what a life left, compares it with what was promised, and takes note of it.
    fn settle(&mut self, directory: &Path, acknowledged: &Acknowledged) {
        let now = Instant::now();
        let directories = Directories::under(directory).unwrap();
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

#[test]
fn what_was_acknowledged_survives_kills() {
    let cycles =
        std::env::var("GUILDHALL_TEST_CYCLES").map_or(200, |cycles| cycles.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("store");
    let mut rng = fastrand::Rng::with_seed(7);
    let mut ledger = Ledger::default();
    let (mut acknowledged, mut silent) = (0, 0);
    for _ in 0..cycles {
        let life = live_and_die(&mut rng, &directory);
        acknowledged += life.len();
        silent += usize::from(life.is_empty());
        ledger.settle(&directory, &life);
    }
    println!(
        "{cycles} kills, {silent} of them before the first answer; {acknowledged} transactions acknowledged, \
         {} found, none lost, none in part",
        ledger.revision
    );
    assert!(acknowledged > 0);
}
