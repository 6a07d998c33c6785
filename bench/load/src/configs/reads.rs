//! Reads: 64 keep-alive clients that read one of 1,000 files after the other.

use std::sync::Arc;

use anyhow::Result;

use super::peers::{self, Configs, GUILDHALL, Named, RNACOS};
use super::release::LENGTH;
use super::{CLIENTS, FILES};
use crate::figures::{number, ratio};
use crate::load::Plan;
use crate::report::Section;
use crate::rounds::interleaved;
use crate::site::Site;
use crate::window::{self, Sample, Verdict};

/// A bound on one window's reads.
const MOST: u64 = 10_000_000;

/// What is read.
#[derive(Clone, Copy)]
enum Reading {
    Content,
    LaidOver,
}

struct Row<'a> {
    name: String,
    configs: &'a Arc<dyn Configs>,
    reading: Reading,
}

/// Measures, and adds a table and the bars.
pub(super) fn run(site: &Site<'_>, peers: &[Named], section: &mut Section) -> Result<()> {
    let mut rows = Vec::new();
    for (name, configs) in peers {
        rows.push(Row {
            name: (*name).to_owned(),
            configs,
            reading: Reading::Content,
        });
        if configs.read_laid_over(0, &mut Vec::new()) {
            rows.push(Row {
                name: format!("{name}, as services read"),
                configs,
                reading: Reading::LaidOver,
            });
        }
    }
    let samples = interleaved(
        &rows,
        site.options.rounds,
        |row| &row.name,
        |row| turn(site, row),
    );
    let verdicts: Vec<Verdict> = rows
        .iter()
        .zip(samples)
        .map(|(row, samples)| Verdict::new(&row.name, samples))
        .collect();
    let rows: Vec<Vec<String>> = verdicts
        .iter()
        .map(|verdict| {
            verdict.row(|sample| {
                [
                    sample.rate,
                    sample.cpu_us,
                    sample.p50_us,
                    sample.p99_us,
                    sample.load,
                ]
                .map(number)
                .into()
            })
        })
        .collect();
    section.table(
        &format!(
            "Reads of {} files of {LENGTH} bytes, {CLIENTS} keep-alive clients (services read `effective`, which lays \
             shared files under theirs; here there are none):",
            number(FILES as f64)
        ),
        &[
            "server",
            "reads/s",
            "CPU µs each",
            "p50 µs",
            "p99 µs",
            "the load's cores",
        ],
        &rows,
    );
    let rate = |name: &str| window::figure(&verdicts, name, |sample| sample.rate);
    let measured = rate(GUILDHALL) / rate(RNACOS);
    section.at_least("reads/s ≥ rnacos's", measured, 1.0, ratio);
    Ok(())
}

fn turn(site: &Site<'_>, row: &Row<'_>) -> Result<Sample> {
    let running = row.configs.start(&site.dir("server")?)?;
    peers::fill(row.configs, &running, FILES)?;
    let plan = Plan {
        address: running.address,
        connections: CLIENTS,
        duration: site.window(),
        requests: MOST,
        steps: 1,
        core: None,
    };
    let (words, reading) = (Arc::clone(row.configs), row.reading);
    window::measure(
        &running.server,
        plan,
        move |request, bytes| {
            // A step that shares no factor with the number of files visits all of them.
            let file = request * 379 % FILES;
            match reading {
                Reading::Content => words.read(file, bytes),
                Reading::LaidOver => {
                    words.read_laid_over(file, bytes);
                }
            }
        },
        |reply| reply.is_success() && reply.body.len() >= LENGTH,
    )
}
