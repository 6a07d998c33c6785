//! Opening a log whose process was killed: with its files out of the page cache, as after a restart of the machine, and
//! in it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{child, figure, files};
use crate::figures::{megabytes, number, ratio};
use crate::options::LogWork;
use crate::report::Section;
use crate::rounds::{interleaved, median};
use crate::site::Site;

/// What opens, or only reads, the files.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Read,
    Cold,
    Cached,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "the files read, nothing more, cold",
            Self::Cold => "reopened after kill -9, cold",
            Self::Cached => "reopened after kill -9, cached",
        }
    }
}

/// Adds the table to the section.
pub(super) fn run(site: &Site<'_>, section: &mut Section) -> Result<()> {
    let dir = site.dir("reopen")?;
    let filled = fill_and_kill(&dir)?;
    let (records, bytes) = (figure(&filled, "records")?, figure(&filled, "bytes")?);
    let ways = [Way::Read, Way::Cold, Way::Cached];
    let turn = |way: &Way| {
        if *way != Way::Cached {
            evict(&dir)?;
        }
        if *way == Way::Read {
            return Ok([read(&dir)?, f64::NAN]);
        }
        let opened = child::run(&dir, LogWork::Open, 0, 0.0)?;
        let found = figure(&opened, "records")?;
        ensure!(found >= records, "{found} of {records} records came back");
        Ok([figure(&opened, "seconds")?, figure(&opened, "cpuSeconds")?])
    };
    let samples = interleaved(&ways, site.options.rounds, |way| way.name(), turn);
    let medians: Vec<Result<[f64; 2]>> = samples
        .into_iter()
        .map(|samples| {
            samples.map(|samples| [0, 1].map(|at| median(samples.iter().map(|sample| sample[at]))))
        })
        .collect();
    let raw = medians[0]
        .as_ref()
        .map_or(f64::NAN, |[seconds, _]| *seconds);
    let rows: Vec<Vec<String>> = ways
        .iter()
        .zip(&medians)
        .map(|(way, medians)| {
            let mut row = vec![way.name().to_owned()];
            match medians {
                Ok([seconds, cpu]) => row.extend([
                    number(*seconds),
                    ratio(seconds / raw),
                    number(bytes / seconds / 1e6),
                    number(cpu * 1e6 / records),
                ]),
                Err(error) => row.push(format!("failed: {error:#}")),
            }
            row
        })
        .collect();
    section.table(
        &format!(
            "A log of {} records, {}, all of it replayed:",
            number(records),
            megabytes(bytes)
        ),
        &[
            "what",
            "seconds",
            "against reading",
            "MB/s",
            "CPU µs a record",
        ],
        &rows,
    );
    Ok(())
}

/// Fills a log in a process that is killed then, and returns what it had said.
fn fill_and_kill(dir: &Path) -> Result<Value> {
    let mut filling = child::spawn(&[], dir, LogWork::Fill, 0, 0.0)?;
    let output = filling.stdout.take().context("the child has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    filling.kill()?;
    filling.wait()?;
    serde_json::from_str(&line).context("the log was not filled")
}

/// Drops the files from the page cache; they are on the disk.
fn evict(dir: &Path) -> Result<()> {
    for path in files(dir)? {
        let file = File::open(path)?;
        file.sync_all()?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}

/// Seconds that it takes to read all files once, a megabyte at a time.
fn read(dir: &Path) -> Result<f64> {
    let mut buffer = vec![0; 1 << 20];
    let began = Instant::now();
    for path in files(dir)? {
        let mut file = File::open(path)?;
        while file.read(&mut buffer)? > 0 {}
    }
    Ok(began.elapsed().as_secs_f64())
}
