//! What a put costs on this disk, how long a start takes, and how much memory the entries need.
//!
//! `cargo bench -p guildhall-store` runs for about a minute in `$GUILDHALL_BENCH_DIR` (else the working directory) and
//! prints tables. `$GUILDHALL_BENCH_ONLY` picks one of `memory`, `puts`, `blobs`, `blobs-reopen`, `reopen`. A directory in
//! memory is refused: its syncs cost nothing.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use guildhall_store::{
    BlobHash, Op, Store, Transaction, WatchItem,
    embedded::{Embedded, Options},
};
use rustix::time::{ClockId, clock_gettime};

/// Bytes of every value: a small document.
const VALUE: usize = 400;
const KEYS: u64 = 100_000;
/// Time given to each figure.
const EACH: Duration = Duration::from_secs(5);

fn main() {
    // `cargo test` runs benches too, without this flag.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let home = env::var_os("GUILDHALL_BENCH_DIR")
        .map_or_else(|| env::current_dir().unwrap(), PathBuf::from);
    let kind = rustix::fs::statfs(&home).unwrap().f_type as u64;
    assert!(
        ![0x0102_1994, 0x8584_58f6].contains(&kind),
        "{} is in memory; set GUILDHALL_BENCH_DIR",
        home.display()
    );
    let scratch = tempfile::Builder::new()
        .prefix("store-bench-")
        .tempdir_in(&home)
        .unwrap();
    let only = env::var("GUILDHALL_BENCH_ONLY").unwrap_or_default();
    let wanted = |what: &str| only.is_empty() || only == what;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    if wanted("memory") {
        runtime.block_on(memory(&scratch.path().join("memory")));
    }
    if wanted("puts") {
        println!("\n{VALUE}-byte puts over {KEYS} keys, each acknowledged after fdatasync\n");
        println!(
            "| clients | puts/s | mean ms | p99 ms | CPU µs/put | log bytes/put | written bytes/put | puts/sync |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for (clients, watched) in [(1, false), (64, false), (64, true), (512, false)] {
            let path = scratch.path().join(format!("puts-{clients}-{watched}"));
            runtime.block_on(puts(&path, clients, watched));
            fs::remove_dir_all(path).unwrap();
        }
    }
    if wanted("blobs") {
        println!("\nblobs, all different, each acknowledged when durable\n");
        println!(
            "| bytes | clients | puts/s | mean ms | p99 ms | CPU µs/put | written bytes/put | gets/s |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for (bytes, clients) in [
            (1 << 10, 1),
            (1 << 10, 64),
            (10 << 10, 1),
            (10 << 10, 64),
            (256 << 10, 64),
            (1 << 20, 64),
        ] {
            let path = scratch.path().join(format!("blobs-{bytes}-{clients}"));
            runtime.block_on(blobs(&path, bytes, clients, false));
            fs::remove_dir_all(path).unwrap();
        }
        println!("\npublishes: a blob, then a transaction that names it\n");
        println!(
            "| bytes | clients | publishes/s | mean ms | p99 ms | CPU µs/publish | written bytes/publish | gets/s |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for (bytes, clients) in [(1 << 10, 1), (1 << 10, 64), (10 << 10, 64)] {
            let path = scratch.path().join(format!("publishes-{bytes}-{clients}"));
            runtime.block_on(blobs(&path, bytes, clients, true));
            fs::remove_dir_all(path).unwrap();
        }
    }
    if wanted("blobs-reopen") {
        runtime.block_on(blobs_reopen(&scratch.path().join("blobs-reopen")));
    }
    if wanted("reopen") {
        runtime.block_on(reopen(&scratch.path().join("reopen")));
    }
}

fn key(number: u64) -> String {
    format!(
        "live/spec/instances/default/service-{:03}/{number:06}",
        number % 500
    )
}

fn put(number: u64, round: u64) -> Transaction {
    let mut value = vec![b'x'; VALUE];
    value[..8].copy_from_slice(&round.to_le_bytes());
    Transaction::new().then(Op::put(key(number), value))
}

/// Fills all keys, `rounds` times, as fast as many clients can.
async fn fill(store: &Arc<Embedded>, rounds: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let clients = (0..512).map(|_| {
        let (store, next) = (Arc::clone(store), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= KEYS * rounds {
                    return;
                }
                store.commit(put(number % KEYS, number)).await.unwrap();
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

/// Resident memory in bytes.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<f64>()
        .unwrap()
        * 1024.0
}

fn processor() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
}

/// Bytes that this process has sent to block devices.
fn written() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap();
    let line = io
        .lines()
        .find(|line| line.starts_with("write_bytes:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn memory(path: &Path) {
    let before = resident();
    let store = Arc::new(Embedded::open(path, Options::default()).unwrap());
    fill(&store, 1).await;
    let written = resident() - before;
    fill(&store, 3).await;
    let rewritten = resident() - before;
    println!(
        "memory for {KEYS} entries of {VALUE} B: {:.0} MB when new, {:.0} MB after 3 more rounds (with history)",
        written / 1e6,
        rewritten / 1e6
    );
}

async fn puts(path: &Path, clients: u64, watched: bool) {
    let store = Arc::new(Embedded::open(path, Options::default()).unwrap());
    fill(&store, 1).await;
    let watcher = watched.then(|| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut watch = store.watch(b"live/", None).await.unwrap();
            let mut seen = 0_u64;
            while let Ok(item) = watch.next().await {
                seen += u64::from(matches!(item, WatchItem::Changes(_)));
            }
            seen
        })
    });
    let stop = Arc::new(AtomicBool::new(false));
    let stats = Arc::clone(store.log_stats());
    let (log_before, written_before) = (stats.snapshot(), written());
    let (began, processor_before) = (Instant::now(), processor());
    let tasks = (0..clients).map(|client| {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut random = client * 7_919 + 1;
            let mut times = Vec::with_capacity(200_000);
            while !stop.load(Relaxed) {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let asked = Instant::now();
                store
                    .commit(put((random >> 33) % KEYS, random))
                    .await
                    .unwrap();
                times.push(asked.elapsed());
            }
            times
        })
    });
    let tasks: Vec<_> = tasks.collect();
    tokio::time::sleep(EACH).await;
    stop.store(true, Relaxed);
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let (took, processor) = (began.elapsed(), processor() - processor_before);
    let (log, written) = (stats.snapshot(), written() - written_before);
    times.sort_unstable();
    let count = times.len() as f64;
    println!(
        "| {clients}{} | {:.0} | {:.2} | {:.2} | {:.1} | {:.0} | {:.0} | {:.1} |",
        if watched { ", one watcher" } else { "" },
        count / took.as_secs_f64(),
        times.iter().sum::<Duration>().as_secs_f64() * 1e3 / count,
        times[times.len() * 99 / 100].as_secs_f64() * 1e3,
        processor.as_secs_f64() * 1e6 / count,
        (log.bytes - log_before.bytes) as f64 / count,
        written as f64 / count,
        count / (log.commits - log_before.commits) as f64,
    );
    drop(store);
    if let Some(watcher) = watcher {
        watcher.abort();
    }
}

/// Blobs of this length, put (and named) by this many clients, then read by as many.
async fn blobs(path: &Path, bytes: usize, clients: u64, named: bool) {
    let store = Arc::new(Embedded::open(path, Options::default()).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let (began, processor_before, written_before) = (Instant::now(), processor(), written());
    let tasks = (0..clients).map(|client| {
        let (store, stop) = (Arc::clone(&store), Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut times, mut hashes) = (Vec::new(), Vec::new());
            while !stop.load(Relaxed) {
                let mut content = vec![client as u8; bytes];
                content[..8].copy_from_slice(&(times.len() as u64).to_le_bytes());
                let asked = Instant::now();
                let hash = store.blob_put(content.into()).await.unwrap();
                if named {
                    let naming = naming(client << 32 | times.len() as u64, hash);
                    store.commit(naming).await.unwrap();
                }
                hashes.push(hash);
                times.push(asked.elapsed());
            }
            (times, hashes)
        })
    });
    let tasks: Vec<_> = tasks.collect();
    tokio::time::sleep(EACH).await;
    stop.store(true, Relaxed);
    let (mut times, mut hashes) = (Vec::new(), Vec::new());
    for task in tasks {
        let (more, names) = task.await.unwrap();
        times.extend(more);
        hashes.push(names);
    }
    let (took, processor) = (began.elapsed(), processor() - processor_before);
    let written = written() - written_before;
    times.sort_unstable();
    let count = times.len() as f64;
    let began = Instant::now();
    let readers = hashes.into_iter().map(|hashes| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for hash in hashes.iter().take(1000) {
                store.blob_get(*hash).await.unwrap().unwrap();
            }
            hashes.len().min(1000)
        })
    });
    let mut read = 0;
    for reader in readers.collect::<Vec<_>>() {
        read += reader.await.unwrap();
    }
    println!(
        "| {bytes} | {clients} | {:.0} | {:.2} | {:.2} | {:.1} | {:.0} | {:.0} |",
        count / took.as_secs_f64(),
        times.iter().sum::<Duration>().as_secs_f64() * 1e3 / count,
        times[times.len() * 99 / 100].as_secs_f64() * 1e3,
        processor.as_secs_f64() * 1e6 / count,
        written as f64 / count,
        read as f64 / began.elapsed().as_secs_f64(),
    );
}

/// A transaction that names a blob.
fn naming(number: u64, hash: BlobHash) -> Transaction {
    Transaction::new().then(Op::Put {
        key: format!("live/spec/configs/default/{number:016}").into(),
        value: vec![b'x'; VALUE].into(),
        lease: None,
        blobs: vec![hash],
    })
}

/// What a gigabyte of blobs adds to a start.
async fn blobs_reopen(path: &Path) {
    for (blobs, bytes) in [(100_000, 10 << 10), (1_000_000, 1 << 10)] {
        let store = Arc::new(Embedded::open(path, Options::default()).unwrap());
        let tasks = (0..1000_u64).map(|client| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for number in 0..blobs / 1000 {
                    let mut content = vec![client as u8; bytes];
                    content[..8].copy_from_slice(&(client << 32 | number).to_le_bytes());
                    store.blob_put(content.into()).await.unwrap();
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        drop(store);
        let (began, before) = (Instant::now(), resident());
        let store = Embedded::open(path, Options::default()).unwrap();
        println!(
            "\nstart with {blobs} blobs of {bytes} bytes: {:.2} s, {:.0} MB more resident",
            began.elapsed().as_secs_f64(),
            (resident() - before) / 1e6,
        );
        drop(store);
        fs::remove_dir_all(path).unwrap();
    }
}

async fn reopen(path: &Path) {
    for (name, checkpoint_after) in [
        ("with checkpoints", 64 << 20),
        ("from the log alone", u64::MAX),
    ] {
        let options = Options {
            checkpoint_after,
            ..Options::default()
        };
        let path = path.with_extension(name.replace(' ', "-"));
        let store = Arc::new(Embedded::open(&path, options.clone()).unwrap());
        fill(&store, 10).await;
        drop(store);
        let (began, before) = (Instant::now(), resident());
        let store = Embedded::open(&path, options).unwrap();
        println!(
            "\nstart after 1 M puts over {KEYS} keys, {name}: {:.2} s, {:.0} MB more resident, {} revisions to resume from",
            began.elapsed().as_secs_f64(),
            (resident() - before) / 1e6,
            store.index().revision - store.status().compacted,
        );
        drop(store);
        fs::remove_dir_all(&path).unwrap();
    }
}
