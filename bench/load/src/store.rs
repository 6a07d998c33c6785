//! The embedded store beside etcd: durable puts of 400 bytes over 100,000 keys by 1, 64 and 512 clients, on the disk as it
//! is and with 2 ms added before every sync on both sides.
//!
//! The embedded store runs in a process of its own, with its clients in it: what they cost counts as the store's. etcd's
//! clients are the harness's and cost it nothing; what its JSON gateway costs counts as etcd's. So the ratio says what an
//! engine inside the process saves, not how well either is written.

mod disk_alone;
pub(crate) mod embedded;
mod etcd_puts;
mod slow_sync;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use crate::etcd;
use crate::figures::{number, ratio};
use crate::report::Section;
use crate::rounds::interleaved;
use crate::site::Site;
use crate::window;
use crate::window::{Sample, Verdict};

/// Keys that the puts go to.
const KEYS: u64 = 100_000;
/// Bytes of a value.
const VALUE: usize = 400;
/// Clients, one put in flight each.
const CLIENTS: [usize; 3] = [1, 64, 512];
/// What is added to a sync on the slow disk.
const ADDED: Duration = Duration::from_millis(2);

#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// No store: what the disk does, and what the pause before its syncs comes to on this machine.
    Disk,
    Embedded,
    Etcd,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Disk => "the disk alone",
            Self::Embedded => "guildhall-store",
            Self::Etcd => "etcd",
        }
    }
}

/// One line of the table: a side under a load on a disk.
struct Case {
    side: Side,
    clients: usize,
    slow: bool,
    name: String,
}

/// Runs the benchmark.
pub(crate) fn run(site: &Site<'_>) -> Result<Section> {
    let mut section = Section::new(site, "Store");
    let mut sides = Vec::new();
    if site.options.wants_peer(Side::Embedded.name()) {
        section.version(Side::Embedded.name(), env!("CARGO_PKG_VERSION"));
        sides.push(Side::Embedded);
    }
    match etcd::find() {
        Ok(program) if site.options.wants_peer(Side::Etcd.name()) => {
            section.version(Side::Etcd.name(), &etcd::version(&program));
            sides.push(Side::Etcd);
        }
        Ok(_) => {}
        Err(missing) => section.note(&format!("Left out: {missing:#}.")),
    }
    if site.options.wants_peer(Side::Disk.name()) {
        sides.insert(0, Side::Disk);
    }
    let launcher = slow_sync::build(&site.dir("slow-sync")?)?;

    for (slow, part) in [(false, "disk"), (true, "slow-disk")] {
        if !site.options.wants_part(part) {
            continue;
        }
        let cases: Vec<Case> = CLIENTS
            .iter()
            .flat_map(|&clients| sides.iter().map(move |&side| (side, clients)))
            .filter(|(side, clients)| *side != Side::Disk || *clients == 1)
            .map(|(side, clients)| Case {
                side,
                clients,
                slow,
                name: name(side, clients),
            })
            .collect();
        let turn = |case: &Case| turn(site, case, &launcher);
        let samples = interleaved(&cases, site.options.rounds, |case| &case.name, turn);
        let verdicts: Vec<Verdict> = cases
            .iter()
            .zip(samples)
            .map(|(case, samples)| Verdict::new(&case.name, samples))
            .collect();
        report(&mut section, &cases, &verdicts, slow);
    }
    Ok(section)
}

fn turn(site: &Site<'_>, case: &Case, launcher: &Path) -> Result<Sample> {
    let dir = site.dir(&case.side.name().replace(' ', "-"))?;
    let wrapper = if case.slow {
        slow_sync::wrapper(launcher, ADDED)
    } else {
        Vec::new()
    };
    match case.side {
        Side::Disk => disk_alone::turn(&dir, site.options.seconds, &wrapper),
        Side::Embedded => embedded::turn(&dir, case.clients, site.options.seconds, &wrapper),
        Side::Etcd => etcd_puts::turn(&dir, case.clients, site.window(), wrapper),
    }
}

fn name(side: Side, clients: usize) -> String {
    format!("{}, {clients}", side.name())
}

fn report(section: &mut Section, cases: &[Case], verdicts: &[Verdict], slow: bool) {
    let etcds =
        |clients: usize| window::figure(verdicts, &name(Side::Etcd, clients), |sample| sample.rate);
    let rows: Vec<Vec<String>> = cases
        .iter()
        .zip(verdicts)
        .map(|(case, verdict)| {
            verdict.row(|sample| {
                vec![
                    number(sample.rate),
                    ratio(sample.rate / etcds(case.clients)),
                    number(sample.cpu_us),
                    number(sample.bytes),
                    number(sample.p50_us),
                    number(sample.p99_us),
                ]
            })
        })
        .collect();
    let disk = if slow {
        format!("With {} ms added before every sync", ADDED.as_millis())
    } else {
        "On the disk as it is".to_owned()
    };
    section.table(
        &format!(
            "{disk}, durable puts of {VALUE} bytes over {} keys; the disk alone writes and syncs a page:",
            number(KEYS as f64)
        ),
        &[
            "store, clients",
            "puts/s",
            "against etcd",
            "CPU µs/put",
            "bytes written/put",
            "p50 µs",
            "p99 µs",
        ],
        &rows,
    );
}
