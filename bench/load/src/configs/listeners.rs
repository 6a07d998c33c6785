//! From a publish to 10,000 who listen to the file, each over a connection of its own, and what such a listener costs.
//! The clock runs from the moment the publish's request leaves until a listener has read the new content; so it holds
//! the sync, too, and the load's own reading, which on this machine competes with the server for the cores.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::peers::{self, Configs, GUILDHALL, Listening, Named, Running};
use super::release::Release;
use crate::audience::{Audience, News};
use crate::figures::{milliseconds, number};
use crate::http::Connection;
use crate::load;
use crate::report::Section;
use crate::rounds::{interleaved, median};
use crate::site::Site;
use crate::usage;

/// Listeners, all of one file.
const LISTENERS: u64 = 10_000;
/// Listeners that connect at the same time.
const CONNECTING: usize = 64;
/// Publishes in a turn.
const PUBLISHES: u64 = 20;
/// Between a publish that all have heard of, and have asked again after, and the next.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a server idles before its memory is read: it may give back what it needed to get there.
const SETTLE: Duration = Duration::from_secs(2);
/// The file.
const FILE: u64 = 0;

/// What a turn found, in milliseconds, microseconds and bytes.
struct Found {
    p50: f64,
    p99: f64,
    max: f64,
    /// The server's CPU for a publish and its notices, by notice.
    cpu_us: f64,
    /// The load's.
    load_us: f64,
    /// Memory a listener, before anything was published to them.
    idle: f64,
    /// And after all of it.
    after: f64,
}

/// Measures, and adds a table and the bars.
pub(super) fn run(site: &Site<'_>, peers: &[Named], section: &mut Section) -> Result<()> {
    let samples = interleaved(
        peers,
        site.options.rounds,
        |peer| peer.0,
        |peer| turn(site, peer),
    );
    let mut rows = Vec::new();
    let (mut p99, mut bytes) = (f64::NAN, f64::NAN);
    for ((name, _), samples) in peers.iter().zip(&samples) {
        let mut row = vec![(*name).to_owned()];
        match samples {
            Ok(taken) => {
                let of = |figure: fn(&Found) -> f64| median(taken.iter().map(figure));
                let max = taken.iter().map(|found| found.max).fold(0.0, f64::max);
                if *name == GUILDHALL {
                    p99 = of(|found| found.p99);
                    bytes = of(|found| found.idle).max(of(|found| found.after));
                }
                row.extend(
                    [
                        of(|found| found.p50),
                        of(|found| found.p99),
                        max,
                        of(|found| found.cpu_us),
                        of(|found| found.load_us),
                        of(|found| found.idle) / 1e3,
                        of(|found| found.after) / 1e3,
                    ]
                    .map(number),
                );
            }
            Err(error) => row.push(format!("failed: {error:#}")),
        }
        rows.push(row);
    }
    section.table(
        &format!(
            "From a publish's request to {} listeners of the file having its content, {PUBLISHES} publishes a turn, in \
             milliseconds (max: of all turns). Guildhall and etcd stream; rnacos' listeners poll, are answered, read the \
             file, and poll again once all have it:",
            number(LISTENERS as f64)
        ),
        &[
            "server",
            "p50",
            "p99",
            "max",
            "CPU µs a notice",
            "the load's CPU µs a notice",
            "KB a listener, idle",
            "KB a listener, after the publishes",
        ],
        &rows,
    );
    let what = format!(
        "publish to {} listeners, p99 ≤ 150 ms",
        number(LISTENERS as f64)
    );
    section.at_most(&what, p99, 150.0, |p99| format!("{} ms", number(p99)));
    section.at_most("≤ 24 KB a listener", bytes, 24e3, |bytes| {
        format!("{} KB", number(bytes / 1e3))
    });
    Ok(())
}

fn turn(site: &Site<'_>, (name, configs): &Named) -> Result<Found> {
    let running = configs.start(&site.dir(name)?)?;
    peers::fill(configs, &running, FILE + 1)?;
    std::thread::sleep(SETTLE);
    let empty = running.server.usage()?;
    let sockets = load::on_own_thread(None, || attach(configs, &running))?;
    let mut audience = Audience::new(sockets)?;
    listen(configs, &running, &mut audience)?;
    std::thread::sleep(SETTLE);
    let (before, load_before) = (running.server.usage()?, usage::own()?);
    let mut asks = None;
    if let Listening::LongPoll(_) = configs.listening() {
        configs.read(FILE, asks.insert(Vec::new()));
    }
    let mut latency = load::histogram()?;
    for change in 1..=PUBLISHES {
        let release = Release { file: FILE, change };
        let mut request = Vec::new();
        configs.publish(release, &mut request);
        let mut asked = TcpStream::connect(running.address)?;
        asked.set_nodelay(true)?;
        let sent = Instant::now();
        asked.write_all(&request)?;
        let news = News {
            asked: &mut asked,
            needle: &configs.needle(release),
            sent,
            audience: LISTENERS,
            asks: asks.as_deref(),
        };
        audience.hear(news, &mut latency)?;
        listen(configs, &running, &mut audience)?;
        std::thread::sleep(PAUSE);
    }
    let (after, load_after) = (running.server.usage()?, usage::own()?);
    let notices = (PUBLISHES * LISTENERS) as f64;
    let taken = |resident: u64| resident.saturating_sub(empty.resident) as f64 / LISTENERS as f64;
    let quantile = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Found {
        p50: quantile(0.5),
        p99: quantile(0.99),
        max: latency.max() as f64 / 1e3,
        cpu_us: after.since(before).cpu.as_secs_f64() * 1e6 / notices,
        load_us: load_after.saturating_sub(load_before).as_secs_f64() * 1e6 / notices,
        idle: taken(before.resident),
        after: taken(after.resident),
    })
}

/// Has everybody poll where listeners do.
fn listen(configs: &Arc<dyn Configs>, running: &Running, audience: &mut Audience) -> Result<()> {
    match configs.listening() {
        Listening::Stream(_) => Ok(()),
        Listening::LongPoll(polls) => audience.say(&polls.poll(FILE, running)?),
    }
}

/// Opens every stream, or reads the file over every connection, a bounded number at a time.
async fn attach(configs: &Arc<dyn Configs>, running: &Running) -> Result<Vec<TcpStream>> {
    let opening = Instant::now();
    let mut sockets = Vec::new();
    let mut pending = Vec::new();
    for listener in 0..LISTENERS {
        let (configs, address) = (Arc::clone(configs), running.address);
        pending.push(tokio::task::spawn_local(async move {
            let mut request = Vec::new();
            let mut connection = Connection::open(address).await?;
            match configs.listening() {
                Listening::Stream(streams) => {
                    streams.stream(FILE, listener, &mut request);
                    connection.subscribe(&request).await?;
                }
                Listening::LongPoll(_) => {
                    configs.read(FILE, &mut request);
                    connection.send(&request).await?;
                }
            }
            connection.into_socket()
        }));
        if pending.len() == CONNECTING || listener + 1 == LISTENERS {
            for opened in pending.drain(..) {
                sockets.push(opened.await.context("a listener's task failed")??);
            }
        }
    }
    eprintln!(
        "    {LISTENERS} listeners after {} ms",
        number(milliseconds(opening.elapsed()))
    );
    Ok(sockets)
}
