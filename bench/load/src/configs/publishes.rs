//! Publishes: 64 clients, 1 KiB each, of files that are new, and over files that are there. Each is answered when the
//! server calls it published; what that outlives is in the table.

use std::sync::Arc;

use anyhow::Result;

use super::peers::{self, ETCD, GUILDHALL, Named, RNACOS};
use super::release::{LENGTH, Release};
use super::{CLIENTS, FILES};
use crate::figures::{number, ratio};
use crate::load::Plan;
use crate::report::Section;
use crate::rounds::interleaved;
use crate::site::Site;
use crate::window::{self, Sample, Verdict};

/// A bound on one window's publishes: memory is what it bounds.
const MOST: u64 = 1_000_000;

/// Which files are published.
#[derive(Clone, Copy)]
enum Files {
    New,
    There,
}

impl Files {
    fn name(self) -> &'static str {
        match self {
            Self::New => "new files",
            Self::There => "over files that are there",
        }
    }

    /// The publish of this number.
    fn release(self, number: u64) -> Release {
        match self {
            Self::New => Release {
                file: number,
                change: 0,
            },
            Self::There => Release {
                file: number % FILES,
                change: 1 + number / FILES,
            },
        }
    }
}

/// Measures, and adds the tables and the bars.
pub(super) fn run(site: &Site<'_>, peers: &[Named], section: &mut Section) -> Result<()> {
    for files in [Files::New, Files::There] {
        eprintln!("{}", files.name());
        let samples = interleaved(
            peers,
            site.options.rounds,
            |peer| peer.0,
            |peer| turn(site, peer, files),
        );
        let verdicts: Vec<Verdict> = peers
            .iter()
            .zip(samples)
            .map(|((name, _), samples)| Verdict::new(name, samples))
            .collect();
        let rows: Vec<Vec<String>> = peers
            .iter()
            .zip(&verdicts)
            .map(|((_, configs), verdict)| {
                verdict.row(|sample| {
                    vec![
                        configs.outlives().to_owned(),
                        number(sample.rate),
                        number(sample.cpu_us),
                        number(sample.bytes),
                        number(sample.p50_us),
                        number(sample.p99_us),
                        number(sample.load),
                    ]
                })
            })
            .collect();
        section.table(
            &format!(
                "Publishes of {LENGTH} bytes of YAML, {CLIENTS} clients, {}:",
                files.name()
            ),
            &[
                "server",
                "outlives",
                "publishes/s",
                "CPU µs each",
                "bytes written each",
                "p50 µs",
                "p99 µs",
                "the load's cores",
            ],
            &rows,
        );
        let rate = |name: &str| window::figure(&verdicts, name, |sample| sample.rate);
        let what = format!("publishes/s ≥ {RNACOS}'s, {}", files.name());
        section.at_least(&what, rate(GUILDHALL) / rate(RNACOS), 1.0, ratio);
        let cpu = |name: &str| window::figure(&verdicts, name, |sample| sample.cpu_us);
        let what = format!("publishes per CPU second ≥ 3 × {ETCD}'s, {}", files.name());
        section.at_least(&what, cpu(ETCD) / cpu(GUILDHALL), 3.0, ratio);
    }
    Ok(())
}

fn turn(site: &Site<'_>, (name, configs): &Named, files: Files) -> Result<Sample> {
    let running = configs.start(&site.dir(name)?)?;
    if let Files::There = files {
        peers::fill(configs, &running, FILES)?;
    }
    let plan = Plan {
        address: running.address,
        connections: CLIENTS,
        duration: site.window(),
        requests: MOST,
        steps: 1,
        core: None,
    };
    let words = Arc::clone(configs);
    window::measure(
        &running.server,
        plan,
        move |request, bytes| words.publish(files.release(request), bytes),
        |reply| reply.is_success(),
    )
}
