//! The log by itself: durable appends of 400 bytes by 1, 64 and 512 writers, and reopening after a crash, beside what the
//! same disk does without it: one page written and synced, over and over, by one thread.
//!
//! Every turn runs in a process of its own, with its writers in it: what they cost counts as the log's.

pub(crate) mod child;
mod device;
mod reopen;

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::figures::{number, ratio};
use crate::options::LogWork;
use crate::report::Section;
use crate::rounds::{interleaved, median};
use crate::site::Site;

/// Bytes of a record: a small document.
const RECORD: usize = 400;
/// Bytes of a raw write.
const PAGE: usize = 4096;
/// Writers, one append in flight each.
const WRITERS: [usize; 3] = [1, 64, 512];

/// One line of the table.
struct Case {
    name: String,
    work: LogWork,
    writers: usize,
}

/// The figures of one turn, or the medians of several.
#[derive(Clone, Copy)]
struct Figures {
    /// Appends a second.
    rate: f64,
    /// User and system microseconds per append.
    cpu_us: f64,
    /// Bytes of the file per append: the frame with its record.
    file_bytes: f64,
    /// Bytes that reached the device per append, whoever else wrote meanwhile included.
    device_bytes: f64,
    /// Appends that shared a sync.
    group: f64,
    p50_us: f64,
    p99_us: f64,
}

/// Runs the benchmark.
pub(crate) fn run(site: &Site<'_>) -> Result<Section> {
    let mut section = Section::new(site, "Log");
    section.version("guildhall-log", env!("CARGO_PKG_VERSION"));
    if site.options.wants_part("appends") {
        appends(site, &mut section);
    }
    if site.options.wants_part("reopen") {
        reopen::run(site, &mut section)?;
    }
    Ok(section)
}

fn cases() -> Vec<Case> {
    let raw = |name: &str, work| Case {
        name: name.to_owned(),
        work,
        writers: 1,
    };
    let mut cases = vec![
        raw("disk alone, growing file", LogWork::RawGrowing),
        raw("disk alone, written blocks", LogWork::RawWritten),
    ];
    for (writers, name) in WRITERS.map(|writers| (writers, plural(writers))) {
        for (kind, work) in [
            ("first segment", LogWork::First),
            ("recycled segments", LogWork::Recycled),
        ] {
            cases.push(Case {
                name: format!("log, {kind}, {name}"),
                work,
                writers,
            });
        }
    }
    cases
}

fn plural(writers: usize) -> String {
    if writers == 1 {
        "1 writer".to_owned()
    } else {
        format!("{writers} writers")
    }
}

fn appends(site: &Site<'_>, section: &mut Section) {
    let mut cases = cases();
    cases.retain(|case| site.options.wants_peer(&case.name));
    let turn = |case: &Case| {
        let dir = site.dir("appends")?;
        let seconds = site.options.seconds;
        figures(&child::run(&dir, case.work, case.writers, seconds)?)
    };
    let samples = interleaved(&cases, site.options.rounds, |case| &case.name, turn);
    let found: Vec<Result<Figures>> = samples
        .into_iter()
        .map(|samples| samples.map(|samples| medians(&samples)))
        .collect();
    let raw = cases
        .iter()
        .zip(&found)
        .find(|(case, _)| case.work == LogWork::RawGrowing)
        .and_then(|(_, found)| found.as_ref().ok())
        .map_or(f64::NAN, |raw| raw.rate);
    let rows: Vec<Vec<String>> = cases
        .iter()
        .zip(&found)
        .map(|(case, found)| row(&case.name, found, raw))
        .collect();
    section.table(
        &format!(
            "Appends of {RECORD} bytes, each answered after its fdatasync; the disk alone writes one page of {PAGE} bytes \
             and syncs it, in one thread. Bytes at the device are the whole machine's:"
        ),
        &[
            "what",
            "appends/s",
            "against the disk alone",
            "CPU µs each",
            "bytes in the file each",
            "bytes at the device each",
            "appends a sync",
            "p50 µs",
            "p99 µs",
        ],
        &rows,
    );
    section.note(
        "A sync into blocks that are written already need not commit the file system's journal, as one of a growing file \
         must. The first segment of a log is zeroed in strides ahead of its records; later ones are zeroed beforehand or \
         recycled.",
    );
}

fn row(name: &str, found: &Result<Figures>, raw: f64) -> Vec<String> {
    let mut row = vec![name.to_owned()];
    match found {
        Ok(figures) => row.extend([
            number(figures.rate),
            ratio(figures.rate / raw),
            number(figures.cpu_us),
            number(figures.file_bytes),
            number(figures.device_bytes),
            number(figures.group),
            number(figures.p50_us),
            number(figures.p99_us),
        ]),
        Err(error) => row.push(format!("failed: {error:#}")),
    }
    row
}

fn figures(found: &Value) -> Result<Figures> {
    let figure = |name: &str| figure(found, name);
    Ok(Figures {
        rate: figure("rate")?,
        cpu_us: figure("cpuUs")?,
        file_bytes: figure("fileBytes")?,
        device_bytes: figure("deviceBytes")?,
        group: figure("group")?,
        p50_us: figure("p50Us")?,
        p99_us: figure("p99Us")?,
    })
}

/// One figure of what a child printed.
pub(crate) fn figure(found: &Value, name: &str) -> Result<f64> {
    found[name]
        .as_f64()
        .with_context(|| format!("the figure {name} is missing"))
}

fn medians(samples: &[Figures]) -> Figures {
    let of = |figure: fn(&Figures) -> f64| median(samples.iter().map(figure));
    Figures {
        rate: of(|sample| sample.rate),
        cpu_us: of(|sample| sample.cpu_us),
        file_bytes: of(|sample| sample.file_bytes),
        device_bytes: of(|sample| sample.device_bytes),
        group: of(|sample| sample.group),
        p50_us: of(|sample| sample.p50_us),
        p99_us: of(|sample| sample.p99_us),
    }
}

/// The log's files in a folder.
fn files(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}
