//! One turn in a process of its own: it appends to a log or to a bare file, and prints its figures for the harness.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use guildhall_log::files::{Disk, Files as _};
use guildhall_log::{Appender, CommitterOptions, Log, Options, Sequence, Start};
use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::{PAGE, RECORD, device};
use crate::load;
use crate::options::{LogChild, LogWork};
use crate::tasks;
use crate::usage;
use crate::window::WARM_UP;

/// Records after which old segments are dropped, as a checkpoint would.
const DROP_EVERY: u64 = 100_000;
/// Length of the file with written blocks; writing starts over at its end.
const WRITTEN: u64 = 64 << 20;
/// Records that are reopened.
const FILLED: u64 = 1_000_000;

/// Runs a turn to its end.
pub(super) fn run(dir: &Path, work: LogWork, writers: usize, seconds: f64) -> Result<Value> {
    figures_of(spawn(&[], dir, work, writers, seconds)?)
}

/// The disk alone under a wrapper's words: one page written and synced, over and over, in a growing file.
pub(crate) fn disk_alone(dir: &Path, seconds: f64, wrapper: &[OsString]) -> Result<Value> {
    figures_of(spawn(wrapper, dir, LogWork::RawGrowing, 1, seconds)?)
}

fn figures_of(child: Child) -> Result<Value> {
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the log's process failed");
    serde_json::from_slice(&output.stdout).context("the log's process printed no figures")
}

/// Starts a turn under a wrapper's words.
pub(super) fn spawn(
    wrapper: &[OsString],
    dir: &Path,
    work: LogWork,
    writers: usize,
    seconds: f64,
) -> Result<Child> {
    let work = clap::ValueEnum::to_possible_value(&work).context("the work has no name")?;
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--"])
        .args(wrapper)
        .arg(std::env::current_exe()?)
        .arg("log-child")
        .arg("--dir")
        .arg(dir)
        .args(["--work", work.get_name()])
        .args(["--writers", &writers.to_string()])
        .args(["--seconds", &seconds.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    Ok(child)
}

/// The child process.
pub(crate) fn child(options: &LogChild) -> Result<()> {
    let dir = &options.dir;
    let window = Duration::from_secs_f64(options.seconds);
    let figures = match options.work {
        LogWork::RawGrowing => raw(dir, window, false)?,
        LogWork::RawWritten => raw(dir, window, true)?,
        LogWork::First => appends(dir, window, options.writers, false)?,
        LogWork::Recycled => appends(dir, window, options.writers, true)?,
        LogWork::Fill => return fill(dir),
        LogWork::Open => open(dir)?,
    };
    println!("{figures}");
    Ok(())
}

/// What was measured around a window.
struct Meter {
    cpu: Duration,
    device: f64,
    began: Instant,
}

impl Meter {
    fn start(dir: &Path) -> Result<Self> {
        Ok(Self {
            cpu: usage::of(std::process::id())?.cpu,
            device: device::written(&device::statistics(dir)?),
            began: Instant::now(),
        })
    }

    /// The figures of a window with these latencies, bytes of the file and syncs.
    fn figures(
        self,
        dir: &Path,
        latency: &Histogram<u64>,
        bytes: u64,
        syncs: u64,
    ) -> Result<Value> {
        let elapsed = self.began.elapsed().as_secs_f64();
        let cpu = usage::of(std::process::id())?.cpu - self.cpu;
        let device = device::written(&device::statistics(dir)?) - self.device;
        let done = latency.len() as f64;
        Ok(json!({
            "rate": done / elapsed,
            "cpuUs": cpu.as_secs_f64() * 1e6 / done,
            "fileBytes": bytes as f64 / done,
            "deviceBytes": device / done,
            "group": done / syncs as f64,
            "p50Us": latency.value_at_quantile(0.5),
            "p99Us": latency.value_at_quantile(0.99),
        }))
    }
}

/// The disk alone: one page, one fdatasync, in a file that grows or one whose blocks were written before.
fn raw(dir: &Path, window: Duration, written: bool) -> Result<Value> {
    let file = Disk::open(dir)?.create("raw")?;
    if written {
        file.write_zeroes(0, WRITTEN)?;
    }
    file.sync_data()?;
    let page = [7; PAGE];
    let mut at = 0;
    let mut pages = |window: Duration| -> Result<Histogram<u64>> {
        let mut latency = load::histogram()?;
        let began = Instant::now();
        while began.elapsed() < window {
            let sent = Instant::now();
            file.write_at(at, &page)?;
            file.sync_data()?;
            load::record(&mut latency, sent.elapsed());
            at += PAGE as u64;
            if written {
                at %= WRITTEN;
            }
        }
        Ok(latency)
    };
    pages(WARM_UP)?;
    let meter = Meter::start(dir)?;
    let latency = pages(window)?;
    let done = latency.len();
    meter.figures(dir, &latency, done * PAGE as u64, done)
}

/// Tasks that append, wait for the answer, and append again.
fn appends(dir: &Path, window: Duration, writers: usize, recycled: bool) -> Result<Value> {
    let mut options = Options::default();
    if !recycled {
        // However fast the disk, the window ends in the first segment.
        options.segment_size = 8 << 30;
    }
    let mut log = open_log(dir, options, |_| {})?;
    if recycled {
        recycle(&mut log)?;
    }
    let appender = Appender::start(log, CommitterOptions::default())?;
    let stats = appender.view().stats();
    let dropped = Arc::new(AtomicU64::new(0));
    let appending = appender.clone();
    let record = Bytes::from(vec![7; RECORD]);
    let append = move || append(appending.clone(), record.clone(), Arc::clone(&dropped));
    let figures = tasks::block_on(async {
        tasks::repeat(writers, WARM_UP, append.clone()).await?;
        let before = stats.snapshot();
        let meter = Meter::start(dir)?;
        let latency = tasks::repeat(writers, window, append).await?;
        let after = stats.snapshot();
        let (bytes, syncs) = (after.bytes - before.bytes, after.commits - before.commits);
        meter.figures(dir, &latency, bytes, syncs)
    })?;
    appender.stop();
    Ok(figures)
}

/// Appends a record, and now and then drops what an owner would have in a checkpoint by now.
async fn append(appender: Appender, record: Bytes, dropped: Arc<AtomicU64>) -> Result<()> {
    let sequence = appender.append(record).await?.get();
    let before = dropped.load(Relaxed);
    if sequence >= before + 2 * DROP_EVERY {
        let keep = sequence - DROP_EVERY;
        if dropped
            .compare_exchange(before, keep, Relaxed, Relaxed)
            .is_ok()
        {
            appender.drop_before(Sequence::new(keep)).await?;
        }
    }
    Ok(())
}

fn open_log(dir: &Path, options: Options, mut replay: impl FnMut(&[u8])) -> Result<Log> {
    let disk = Arc::new(Disk::open(dir)?);
    let (log, _) = Log::open(disk, options, Start::Oldest, |record| {
        replay(record.payload);
        Ok(())
    })?;
    Ok(log)
}

/// Writes until the segment being written is one whose blocks were written before: the first of a log never is.
fn recycle(log: &mut Log) -> Result<()> {
    let stats = log.view().stats();
    let record = [7; 1 << 20];
    while stats.snapshot().recycled == 0 {
        let sequence = log.stage(&[&record])?;
        log.commit()?;
        log.drop_before(sequence)?;
    }
    Ok(())
}

/// Fills a log, says so, and waits to be killed.
fn fill(dir: &Path) -> Result<()> {
    let mut log = open_log(dir, Options::default(), |_| {})?;
    for _ in 0..FILLED / 1000 {
        for _ in 0..1000 {
            log.stage(&[&[7; RECORD]])?;
        }
        log.commit()?;
    }
    let bytes = log.view().stats().snapshot().bytes;
    println!("{}", json!({ "records": FILLED, "bytes": bytes }));
    std::io::stdin().read_exact(&mut [0])?;
    bail!("filled, and not killed");
}

/// Opens a log and says what that took. It is not closed in order, so that the next opening recovers, too.
fn open(dir: &Path) -> Result<Value> {
    let mut records = 0_u64;
    let began = Instant::now();
    let log = open_log(dir, Options::default(), |payload| {
        records += u64::from(payload.len() == RECORD);
    })?;
    let took = began.elapsed();
    drop(log);
    let cpu = usage::of(std::process::id())?.cpu;
    Ok(
        json!({ "records": records, "seconds": took.as_secs_f64(), "cpuSeconds": cpu.as_secs_f64() }),
    )
}
