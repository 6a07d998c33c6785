//! What a server that does nothing costs: resident memory, and the time from its start to its first good answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::figures::{megabytes, milliseconds, number};
use crate::report::Section;
use crate::rounds::{interleaved, median};
use crate::server::Server;
use crate::site::Site;
use crate::{etcd, guildhall, rnacos};

/// How long a server idles before its memory is read: start-up's garbage is then given back, where it is at all.
const SETTLE: Duration = Duration::from_secs(3);
/// The peer that the bars are about.
const OURS: &str = "Guildhall, every role";

type Start = fn(&Path, &Path) -> Result<Server>;
type Version = fn(&Path) -> String;

struct Peer {
    name: &'static str,
    program: PathBuf,
    start: Start,
}

struct Sample {
    resident: f64,
    ready_ms: f64,
    cpu_ms: f64,
}

/// Runs the benchmark.
pub(crate) fn run(site: &Site<'_>) -> Result<Section> {
    let mut section = Section::new(site, "Idle");
    let ours = guildhall::binary(site.options)
        .context("guildhall is not built (cargo build --release --package guildhall-server)");
    let candidates: [(&str, Result<PathBuf>, Version, Start); 3] = [
        (OURS, ours, guildhall::version, |program, dir| {
            Ok(guildhall::whole(program, dir)?.server)
        }),
        ("etcd", etcd::find(), etcd::version, |program, dir| {
            Ok(etcd::start(program, dir, Vec::new())?.0)
        }),
        ("rnacos", rnacos::find(), rnacos::version, |program, dir| {
            Ok(rnacos::start(program, dir)?.0)
        }),
    ];
    let mut peers = Vec::new();
    for (name, program, version, start) in candidates {
        match program {
            Ok(program) if site.options.wants_peer(name) => {
                section.version(name, &version(&program));
                peers.push(Peer {
                    name,
                    program,
                    start,
                });
            }
            Ok(_) => {}
            Err(missing) => section.note(&format!("Left out: {missing:#}.")),
        }
    }

    let samples = interleaved(
        &peers,
        site.options.rounds,
        |peer| peer.name,
        |peer| turn(site, peer),
    );
    let mut resident = f64::NAN;
    let mut ready = f64::NAN;
    let mut rows = Vec::new();
    for (peer, samples) in peers.iter().zip(&samples) {
        let Ok(taken) = samples else {
            rows.push(vec![peer.name.to_owned(), "failed".to_owned()]);
            continue;
        };
        let of = |figure: fn(&Sample) -> f64| median(taken.iter().map(figure));
        if peer.name == OURS {
            resident = of(|sample| sample.resident);
            ready = of(|sample| sample.ready_ms);
        }
        rows.push(vec![
            peer.name.to_owned(),
            megabytes(of(|sample| sample.resident)),
            number(of(|sample| sample.ready_ms)),
            number(of(|sample| sample.cpu_ms)),
        ]);
    }
    section.table(
        &format!("An empty server, {} s after its start:", SETTLE.as_secs()),
        &["server", "resident", "ready after ms", "CPU ms up to then"],
        &rows,
    );
    section.at_most("≤ 30 MB resident", resident, 30e6, megabytes);
    section.at_most("ready in ≤ 100 ms", ready, 100.0, |ready| {
        format!("{} ms", number(ready))
    });
    Ok(section)
}

fn turn(site: &Site<'_>, peer: &Peer) -> Result<Sample> {
    let server = (peer.start)(&peer.program, &site.dir("server")?)?;
    std::thread::sleep(SETTLE);
    let usage = server.usage()?;
    Ok(Sample {
        resident: usage.resident as f64,
        ready_ms: milliseconds(server.ready_after()),
        cpu_ms: milliseconds(usage.cpu),
    })
}
