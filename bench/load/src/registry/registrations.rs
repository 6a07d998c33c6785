//! Registrations: 64 clients, each instance a new one that lives as long as it reports (a TTL check, a lease, an
//! ephemeral instance), each answered when the registry calls it registered (Guildhall and etcd: after the sync).

use std::sync::Arc;

use anyhow::Result;

use super::CLIENTS;
use super::fleet::Instance;
use super::peers::{ETCD, GUILDHALL, Named, RNACOS, TTL};
use crate::figures::{number, ratio};
use crate::load::Plan;
use crate::report::Section;
use crate::rounds::interleaved;
use crate::site::Site;
use crate::window::{self, Sample, Verdict};

/// A bound on one window's registrations: memory is what it bounds.
const MOST: u64 = 1_000_000;

/// Measures, and adds a table and the bars.
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
    let rows: Vec<Vec<String>> = peers
        .iter()
        .zip(&verdicts)
        .map(|((_, registry), verdict)| {
            verdict.row(|sample| {
                vec![
                    if registry.is_durable() { "yes" } else { "no" }.to_owned(),
                    number(sample.rate),
                    number(sample.cpu_us),
                    number(sample.bytes),
                    number(sample.p50_us),
                    number(sample.p99_us),
                ]
            })
        })
        .collect();
    section.table(
        &format!(
            "Registrations of new instances that vanish unless they report every {TTL} s, {CLIENTS} clients (etcd: the \
             grant of a lease, then a put under it):"
        ),
        &[
            "registry",
            "durable",
            "registrations/s",
            "CPU µs each",
            "bytes written each",
            "p50 µs",
            "p99 µs",
        ],
        &rows,
    );
    let rate = |name: &str| window::figure(&verdicts, name, |sample| sample.rate);
    for (peer, bound) in [(RNACOS, 1.0), (ETCD, 5.0)] {
        let measured = rate(GUILDHALL) / rate(peer);
        let what = format!("registrations/s ≥ {bound} × {peer}'s");
        section.at_least(&what, measured, bound, ratio);
    }
    Ok(())
}

fn turn(site: &Site<'_>, (name, registry): &Named) -> Result<Sample> {
    let running = registry.start(&site.dir(name)?)?;
    let steps = registry.live_steps();
    let plan = Plan {
        address: running.address,
        connections: CLIENTS,
        duration: site.window(),
        requests: MOST,
        steps,
        core: None,
    };
    let words = Arc::clone(registry);
    window::measure(
        &running.server,
        plan,
        move |request, bytes| {
            let (number, step) = (request / steps, request % steps);
            words.register_live(Instance { number, change: 0 }, step, bytes);
        },
        |reply| reply.is_success(),
    )
}
