//! The store: what was acknowledged is found, whatever happens to the machine meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use guildhall_telemetry::query::Search;
use guildhall_telemetry::rows::TraceId;
use guildhall_telemetry::store::{Directories, IngestError, Options, Store};
use guildhall_testkit::files::{FaultyFiles, Mutant};
use prost::Message;

use crate::fleet;

/// How many spans of each trace were acknowledged.
type Acknowledged = BTreeMap<TraceId, usize>;

fn options() -> Options {
    let mut options = Options {
        cut_bytes: 64 << 10,
        retry: Duration::from_millis(1),
        ..Options::default()
    };
    options.log.segment_size = 64 << 10;
    options
}

fn open(log: &FaultyFiles, blocks: &FaultyFiles, options: Options) -> Option<Store> {
    let directories = Directories {
        log: Arc::new(log.clone()),
        blocks: Arc::new(blocks.clone()),
    };
    Store::open(directories, options).ok()
}

/// Small requests, with the traces that are in them.
fn requests(seed: u64, traces: usize) -> Vec<(Bytes, Vec<TraceId>)> {
    let mut all = Vec::new();
    for request in fleet::requests(seed, traces) {
        let whole = &request.resource_spans[0];
        for spans in whole.scope_spans[0].spans.chunks(9) {
            let mut part = request.clone();
            part.resource_spans[0].scope_spans[0].spans = spans.to_vec();
            let ids = spans
                .iter()
                .map(|span| span.trace_id.clone().try_into().unwrap());
            all.push((part.encode_to_vec().into(), ids.collect()));
        }
    }
    all
}

fn everything() -> Search {
    Search {
        time: 0..=u64::MAX,
        filters: Vec::new(),
    }
}

/// Waits, a minute at most, until it holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect(what);
}

fn check(store: &Store, told: &Acknowledged) {
    for (id, count) in told {
        let found = store.find(id);
        assert_eq!(found.unreadable, 0);
        assert!(found.rows.len() >= *count, "acknowledged, and lost");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_is_found_by_its_id_and_by_a_search() {
    let (log, blocks) = (FaultyFiles::new(), FaultyFiles::new());
    let store = Arc::new(open(&log, &blocks, options()).unwrap());
    let mut told = Acknowledged::new();
    let mut tasks = Vec::new();
    for (request, ids) in requests(1, 300) {
        for id in ids {
            *told.entry(id).or_default() += 1;
        }
        // The second time is what a client sends that was not answered in time.
        for _ in 0..2 {
            let (store, request) = (Arc::clone(&store), request.clone());
            tasks.push(tokio::spawn(async move { store.ingest(request).await }));
        }
    }
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap().spans, 0);
    }
    until("a block", || store.stats().blocks > 0).await;
    for (id, count) in &told {
        let found = store.find(id);
        assert_eq!(found.rows.len(), *count);
        assert!(found.rows.starts.is_sorted());
    }
    assert!(store.find(&[9; 16]).rows.is_empty());

    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.search(&everything(), 7, after);
        assert!(page.traces.len() <= 7);
        seen.extend(page.traces);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let starts: Vec<u64> = seen.iter().map(|trace| trace.start).collect();
    assert!(starts.is_sorted_by(|a, b| a >= b), "the newest first");
    let mut ids: Vec<TraceId> = seen.iter().map(|trace| trace.id).collect();
    ids.sort_unstable();
    assert!(ids.iter().eq(told.keys()), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_none_is_refused_whole() {
    let store = open(&FaultyFiles::new(), &FaultyFiles::new(), options()).unwrap();
    let (request, ids) = requests(1, 4).remove(0);
    let cut = request.slice(..request.len() - 1);
    assert!(matches!(store.ingest(cut).await, Err(IngestError::Wire(_))));
    assert!(store.find(&ids[0]).rows.is_empty());
    assert_eq!(store.ingest(Bytes::new()).await.unwrap().spans, 0);
    assert_eq!(store.stats().head_spans, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_young_becomes_a_block_in_time() {
    let young = Options {
        cut_after: Duration::from_millis(1),
        ..Options::default()
    };
    let store = open(&FaultyFiles::new(), &FaultyFiles::new(), young).unwrap();
    let (request, ids) = requests(1, 4).remove(0);
    store.ingest(request).await.unwrap();
    until("a block", || store.stats().blocks == 1).await;
    assert_eq!(store.stats().head_spans, 0);
    assert!(!store.find(&ids[0]).rows.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_to_come_again_while_the_disk_is_full() {
    let (log, blocks) = (FaultyFiles::new(), FaultyFiles::new());
    let narrow = Options {
        head_most: 128 << 10,
        ..options()
    };
    let store = open(&log, &blocks, narrow.clone()).unwrap();
    blocks.set_space(Some(0));
    let mut told = Acknowledged::new();
    let mut refused = 0;
    for (request, ids) in requests(2, 800) {
        match store.ingest(request).await {
            Ok(_) => ids
                .into_iter()
                .for_each(|id| *told.entry(id).or_default() += 1),
            Err(IngestError::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0 && !told.is_empty());
    until("a try", || store.stats().failed_cuts > 0).await;
    check(&store, &told);
    blocks.set_space(None);
    until("space", || store.stats().blocks > 0).await;
    check(&store, &told);
    let (request, _) = requests(3, 4).remove(0);
    store.ingest(request).await.unwrap();
    drop(store);
    let store = open(&log, &blocks, narrow).unwrap();
    check(&store, &told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_block_is_left_aside_and_the_others_are_served() {
    let (log, blocks) = (FaultyFiles::new(), FaultyFiles::new());
    // Large enough that its end still reads.
    let large = || Options {
        cut_bytes: 512 << 10,
        ..options()
    };
    let store = open(&log, &blocks, large()).unwrap();
    let all = requests(4, 2500);
    for (request, _) in &all {
        store.ingest(request.clone()).await.unwrap();
    }
    until("blocks", || store.stats().blocks > 1).await;
    let seen = store.search(&everything(), 10_000, None).traces.len();
    drop(store);
    let names = guildhall_telemetry::block::list(&blocks).unwrap();
    let first = names.iter().min().unwrap();
    let spans = format!("{first}.spans.parquet");
    blocks.corrupt(&spans, |bytes| bytes[20] ^= 1);
    let store = open(&log, &blocks, large()).unwrap();
    let page = store.search(&everything(), 10_000, None);
    assert_eq!(page.unreadable, 1);
    assert!(!page.traces.is_empty() && page.traces.len() < seen);
    assert_eq!(store.stats().quarantined, 1, "counted once");
    let (mut whole, mut partly) = (0, 0);
    for id in all.iter().flat_map(|(_, ids)| ids).step_by(50) {
        match store.find(id).unreadable {
            0 => whole += 1,
            _ => partly += 1,
        }
    }
    assert!(whole > 0 && partly > 0, "{whole} {partly}");
    // Now it does not even open.
    drop(store);
    blocks.corrupt(&format!("{first}.block.json"), |json| json.truncate(3));
    let store = open(&log, &blocks, large()).unwrap();
    assert_eq!(store.stats().quarantined, 1);
    assert_eq!(store.search(&everything(), 10, None).unreadable, 1);
    assert_eq!(store.find(&all[0].1[0]).unreadable, 1);
}

/// Sends until the power is gone, and notes what was acknowledged.
async fn send(store: Arc<Store>, seed: u64, told: Arc<Mutex<Acknowledged>>) {
    for (request, ids) in requests(seed, 60) {
        match store.ingest(request).await {
            Ok(_) => {
                let mut told = told.lock().unwrap();
                ids.into_iter()
                    .for_each(|id| *told.entry(id).or_default() += 1);
            }
            Err(IngestError::Overloaded) => {}
            Err(_) => return,
        }
    }
}

async fn lives(mutant: Option<Mutant>) {
    let mut rng = fastrand::Rng::with_seed(7);
    let (mut log, mut blocks) = (FaultyFiles::new(), FaultyFiles::new());
    let told = Arc::new(Mutex::new(Acknowledged::new()));
    let mut written = 0;
    for life in 0..10 {
        log.set_mutant(mutant);
        log.cut_power_after(rng.u64(20..150));
        blocks.cut_power_after(rng.u64(1..60));
        if let Some(store) = open(&log, &blocks, options()) {
            let store = Arc::new(store);
            let senders: Vec<_> = (0..3)
                .map(|sender| {
                    let seed = 100 * life + sender;
                    tokio::spawn(send(Arc::clone(&store), seed, Arc::clone(&told)))
                })
                .collect();
            for sender in senders {
                sender.await.unwrap();
            }
            written += store.stats().blocks;
        }
        (log, blocks) = (log.crash(rng.u64(..)), blocks.crash(rng.u64(..)));
        let store = open(&log, &blocks, options()).expect("acknowledged, and lost: nothing opens");
        check(&store, &told.lock().unwrap());
        assert_eq!(store.stats().quarantined, 0);
    }
    let acknowledged = told.lock().unwrap().len();
    assert!(
        acknowledged > 200 && written > 5,
        "{acknowledged} {written}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_spans_survive_power_losses() {
    lives(None).await;
}

/// The test would notice a log that answers before its sync.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "acknowledged, and lost")]
async fn a_log_that_skips_its_syncs_is_noticed() {
    lives(Some(Mutant::SkipDataSync(""))).await;
}
