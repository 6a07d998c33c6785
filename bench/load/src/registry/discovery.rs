//! Discovery: 1,000 services of 20 instances, 64 clients asking for one service after another with four filters in turn,
//! while 50 instances change every second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::CLIENTS;
use super::fleet::{self, Filter, Instance, SERVICES};
use super::peers::{self, GUILDHALL, Named, RNACOS, Registry, Running};
use crate::figures::{number, ratio};
use crate::http::Connection;
use crate::load::{self, Plan};
use crate::report::Section;
use crate::rounds::interleaved;
use crate::site::Site;
use crate::window::{self, Sample, Verdict};

/// Instances of each service.
const INSTANCES: u64 = 20;
/// Changes to instances in a second, all through.
const CHURN: u64 = 50;
/// A bound on one window's queries.
const MOST: u64 = 10_000_000;
/// The least bytes of an answer that holds an instance: an empty answer would be quick and worth nothing.
const LEAST: usize = 150;

/// Measures, and adds a table and the bar.
pub(super) fn run(site: &Site<'_>, peers: &[Named], section: &mut Section) -> Result<()> {
    let samples = interleaved(
        peers,
        site.options.rounds,
        |peer| peer.0,
        |peer| turn(site, peer),
    );
    let verdicts: Vec<Verdict> = peers
        .iter()
        .zip(samples)
        .map(|((name, _), samples)| Verdict::new(name, samples))
        .collect();
    let rows: Vec<Vec<String>> = verdicts
        .iter()
        .map(|verdict| {
            verdict.row(|sample| {
                [sample.rate, sample.cpu_us, sample.p50_us, sample.p99_us]
                    .map(number)
                    .into()
            })
        })
        .collect();
    section.table(
        &format!(
            "Discovery over {} services of {INSTANCES} instances, four filters in turn, {CLIENTS} clients, \
             {CHURN} changes/s (etcd cannot filter: it answers with all {INSTANCES}):",
            number(SERVICES as f64)
        ),
        &["registry", "queries/s", "CPU µs each", "p50 µs", "p99 µs"],
        &rows,
    );
    let rate = |name: &str| window::figure(&verdicts, name, |sample| sample.rate);
    let measured = rate(GUILDHALL) / rate(RNACOS);
    section.at_least("queries/s ≥ 4 × rnacos's", measured, 4.0, ratio);
    Ok(())
}

fn turn(site: &Site<'_>, (name, registry): &Named) -> Result<Sample> {
    let running = registry.start(&site.dir(name)?)?;
    peers::fill(registry, &running, SERVICES * INSTANCES)?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let churn = scope.spawn(|| churn(registry, &running, &stop));
        let sample = queries(site, registry, &running);
        stop.store(true, Ordering::Relaxed);
        churn
            .join()
            .map_err(|_| anyhow::anyhow!("the churn's thread failed"))??;
        sample
    })
}

fn queries(site: &Site<'_>, registry: &Arc<dyn Registry>, running: &Running) -> Result<Sample> {
    let plan = Plan {
        address: running.address,
        connections: CLIENTS,
        duration: site.window(),
        requests: MOST,
        steps: 1,
        core: None,
    };
    let words = Arc::clone(registry);
    let names: Vec<String> = (0..SERVICES).map(fleet::service).collect();
    let request = move |number: u64, bytes: &mut Vec<u8>| {
        // A step that shares no factor with the number of services visits all of them, with every filter.
        let service = &names[(number * 379 % SERVICES) as usize];
        words.query(service, Filter::of(number / SERVICES + number), bytes);
    };
    window::measure(&running.server, plan, request, |reply| {
        reply.is_success() && reply.body.len() >= LEAST
    })
}

/// Changes one instance after another at an even pace until told to stop.
fn churn(registry: &Arc<dyn Registry>, running: &Running, stop: &AtomicBool) -> Result<()> {
    load::on_own_thread(None, move || async move {
        let mut connection = Connection::open(running.address).await?;
        let mut pace = tokio::time::interval(Duration::from_micros(1_000_000 / CHURN));
        let mut bytes = Vec::new();
        for change in 1.. {
            pace.tick().await;
            if stop.load(Ordering::Relaxed) {
                break;
            }
            bytes.clear();
            let number = change * 7919 % (SERVICES * INSTANCES);
            registry.register(Instance { number, change }, &mut bytes);
            let reply = connection
                .send(&bytes)
                .await
                .context("the churn lost its connection")?;
            ensure!(
                reply.is_success(),
                "a change was refused with status {}",
                reply.status
            );
        }
        Ok(())
    })
}
