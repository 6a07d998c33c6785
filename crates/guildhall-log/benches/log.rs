//! How fast the log appends and reopens on this disk, beside what the disk does without it.
//!
//! `cargo bench -p guildhall-log` runs for about a minute in `$GUILDHALL_BENCH_DIR` (else the working directory), prints
//! a table, and the same figures as one line of JSON. A directory in memory is refused: its syncs cost nothing.
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

use bytes::Bytes;
use guildhall_log::{
    Appender, CommitterOptions, Log, Options, Sequence, Start,
    files::{Disk, Files as _},
};
use rustix::time::{ClockId, clock_gettime};

/// Payload of every record in bytes: a small document.
const PAYLOAD: usize = 400;

/// Time given to each figure.
const EACH: Duration = Duration::from_secs(4);

const REOPENED: u64 = 1_000_000;

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
        .prefix("log-bench-")
        .tempdir_in(&home)
        .unwrap();
    let mut json = Vec::new();

    println!("{PAYLOAD}-byte records, each acknowledged after fdatasync\n");
    println!(
        "| what | per second | p50 ms | p99 ms | CPU µs each | disk bytes each | records per sync |"
    );
    println!("|---|---|---|---|---|---|---|");
    let figures = env::var("GUILDHALL_BENCH_ONLY").unwrap_or_default();
    for (name, run) in [
        ("raw append", raw as fn(&Path, bool) -> Figure),
        ("raw pre-zeroed", raw),
    ] {
        report(&mut json, &figures, name, || {
            run(
                &scratch.path().join(name.replace(' ', "-")),
                name != "raw append",
            )
        });
    }
    for writers in [1, 64, 512] {
        for spares in [0, 2] {
            let name = format!(
                "log {}, {writers} writers",
                if spares == 0 { "growing" } else { "recycled" }
            );
            report(&mut json, &figures, &name, || {
                appends(
                    &scratch.path().join(name.replace(' ', "-")),
                    writers,
                    spares,
                )
            });
        }
    }
    if figures.is_empty() || "reopen".contains(&figures) {
        let (cold, warm) = reopen(&scratch.path().join("reopen"));
        println!(
            "\nreopening {REOPENED} records: {cold:.2?} from disk, {warm:.2?} from the page cache"
        );
        json.push(format!(
            r#""reopen_cold_seconds":{:.3},"reopen_warm_seconds":{:.3}"#,
            cold.as_secs_f64(),
            warm.as_secs_f64()
        ));
    }
    println!("\n{{{}}}", json.join(","));
}

fn report(json: &mut Vec<String>, only: &str, name: &str, run: impl FnOnce() -> Figure) {
    if !name.contains(only) {
        return;
    }
    let Figure {
        rate,
        p50,
        p99,
        cpu,
        written,
        group,
    } = run();
    println!("| {name} | {rate:.0} | {p50:.2} | {p99:.2} | {cpu:.1} | {written:.0} | {group:.1} |");
    json.push(format!(
        r#""{name}":{{"per_second":{rate:.0},"p50_ms":{p50:.3},"p99_ms":{p99:.3},"cpu_us":{cpu:.2},"disk_bytes":{written:.0},"records_per_sync":{group:.1}}}"#
    ));
}

struct Figure {
    rate: f64,
    p50: f64,
    p99: f64,
    /// Microseconds of user and system time per record.
    cpu: f64,
    /// Bytes that reached the device per record, whoever else wrote meanwhile included.
    written: f64,
    group: f64,
}

/// What is measured around a run: first the readings at its start, then the differences.
struct Meter {
    began: Instant,
    took: Duration,
    cpu: Duration,
    written: u64,
}

impl Meter {
    fn start(device: &Path) -> Self {
        Self {
            cpu: cpu(),
            written: written(device),
            took: Duration::ZERO,
            began: Instant::now(),
        }
    }

    fn stop(self, device: &Path) -> Self {
        Self {
            took: self.began.elapsed(),
            cpu: cpu() - self.cpu,
            written: written(device) - self.written,
            ..self
        }
    }

    fn figure(&self, mut latencies: Vec<u32>, syncs: u64) -> Figure {
        let records = latencies.len().max(1) as f64;
        latencies.sort_unstable();
        let at = |q: f64| (latencies.len() as f64 * q) as usize;
        let quantile = |q: f64| {
            latencies
                .get(at(q))
                .map_or(0.0, |us| f64::from(*us) / 1000.0)
        };
        Figure {
            rate: records / self.took.as_secs_f64(),
            p50: quantile(0.5),
            p99: quantile(0.99),
            cpu: self.cpu.as_secs_f64() * 1e6 / records,
            written: self.written as f64 / records,
            group: records / syncs.max(1) as f64,
        }
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The statistics of the block device that holds a directory.
fn device(directory: &Path) -> PathBuf {
    let number = rustix::fs::stat(directory).unwrap().st_dev;
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    PathBuf::from(format!("/sys/dev/block/{major}:{minor}/stat"))
}

/// Bytes written to the device so far, by whomever. (What /proc/self/io counts is not what is written: it takes a dirtied
/// page for a whole large folio.)
fn written(device: &Path) -> u64 {
    let stat = fs::read_to_string(device).unwrap_or_default();
    let sectors: u64 = stat
        .split_whitespace()
        .nth(6)
        .and_then(|sectors| sectors.parse().ok())
        .unwrap_or(0);
    sectors * 512
}

/// The disk alone: one record, one fdatasync, over and over, in a growing or in a pre-zeroed file.
fn raw(directory: &Path, zeroed: bool) -> Figure {
    let disk = Disk::open(directory).unwrap();
    let file = disk.create("raw").unwrap();
    if zeroed {
        file.write_zeroes(0, 64 << 20).unwrap();
    }
    file.sync_data().unwrap();
    let record = [7; PAYLOAD + 24];
    let mut latencies = Vec::new();
    let device = device(directory);
    let meter = Meter::start(&device);
    while meter.began.elapsed() < EACH {
        let began = Instant::now();
        file.write_at(
            (latencies.len() * record.len()) as u64 % (63 << 20),
            &record,
        )
        .unwrap();
        file.sync_data().unwrap();
        latencies.push(began.elapsed().as_micros() as u32);
    }
    let syncs = latencies.len() as u64;
    meter.stop(&device).figure(latencies, syncs)
}

/// Tasks that each append, wait for the acknowledgement, and append again; segments are dropped as a checkpoint would.
fn appends(directory: &Path, writers: usize, spares: usize) -> Figure {
    let options = Options {
        spares,
        ..Options::default()
    };
    let disk = Arc::new(Disk::open(directory).unwrap());
    let (mut log, _) = Log::open(disk, options, Start::Oldest, |_| Ok(())).unwrap();
    if spares > 0 {
        fill(&mut log);
    }
    let appender = Appender::start(log, CommitterOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    let stats = appender.view().stats();
    let device = device(directory);
    let measuring = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let dropped = Arc::new(AtomicU64::new(0));
    let figure = runtime.block_on(async {
        let clients: Vec<_> = (0..writers)
            .map(|_| {
                let (appender, measuring, stop, dropped) = (
                    appender.clone(),
                    Arc::clone(&measuring),
                    Arc::clone(&stop),
                    Arc::clone(&dropped),
                );
                let record = Bytes::from(vec![7; PAYLOAD]);
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while !stop.load(Relaxed) {
                        let began = Instant::now();
                        let sequence = appender.append(record.clone()).await.unwrap();
                        if measuring.load(Relaxed) {
                            latencies.push(began.elapsed().as_micros() as u32);
                        }
                        if sequence.get() % 100_000 == 0
                            && dropped.fetch_max(sequence.get(), Relaxed) < sequence.get()
                        {
                            appender
                                .drop_before(Sequence::new(sequence.get() - 90_000))
                                .await
                                .unwrap();
                        }
                    }
                    latencies
                })
            })
            .collect();
        tokio::time::sleep(EACH / 4).await;
        let commits = stats.snapshot().commits;
        let meter = Meter::start(&device);
        measuring.store(true, Relaxed);
        tokio::time::sleep(EACH).await;
        measuring.store(false, Relaxed);
        let measured = meter.stop(&device);
        let commits = stats.snapshot().commits - commits;
        stop.store(true, Relaxed);
        let mut latencies = Vec::new();
        for client in clients {
            latencies.extend(client.await.unwrap());
        }
        measured.figure(latencies, commits)
    });
    appender.stop();
    figure
}

/// Writes until the segment being written is a pre-zeroed one, for the first of a log never is.
fn fill(log: &mut Log) {
    let stats = log.view().stats();
    while stats.snapshot().recycled == 0 {
        let sequence = log.stage(&[&[7; 1 << 20]]).unwrap();
        log.commit().unwrap();
        log.drop_before(sequence).unwrap();
    }
}

/// Opening a log of a million records: with its files dropped from the page cache, and again.
fn reopen(directory: &Path) -> (Duration, Duration) {
    let open = || {
        let disk = Arc::new(Disk::open(directory).unwrap());
        let mut bytes = 0;
        let began = Instant::now();
        let (log, opened) = Log::open(disk, Options::default(), Start::Oldest, |record| {
            bytes += record.payload.len();
            Ok(())
        })
        .unwrap();
        (log, opened.replayed, bytes, began.elapsed())
    };
    let (mut log, ..) = open();
    for _ in 0..REOPENED / 1000 {
        for _ in 0..1000 {
            log.stage(&[&[7; PAYLOAD]]).unwrap();
        }
        log.commit().unwrap();
    }
    drop(log);
    for entry in fs::read_dir(directory).unwrap() {
        let file = fs::File::open(entry.unwrap().path()).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    }
    let (log, replayed, bytes, cold) = open();
    assert_eq!((replayed, bytes), (REOPENED, REOPENED as usize * PAYLOAD));
    drop(log);
    (cold, open().3)
}
