//! 100,000 instances: memory, and the time from a restart after `kill -9` until the registry is ready again, with every
//! instance in it.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::fleet::{Filter, Instance, SERVICES, service};
use super::peers::{self, GUILDHALL, Named, Registry, Running};
use crate::figures::{megabytes, milliseconds, number};
use crate::http::Reply;
use crate::load::{self, Plan};
use crate::report::Section;
use crate::site::Site;

/// The fleet.
const INSTANCES: u64 = 100_000;

struct Found {
    filled: f64,
    restarted: f64,
    ready_ms: f64,
}

/// Measures each peer once, and adds a table and the bars.
pub(super) fn run(site: &Site<'_>, peers: &[Named], section: &mut Section) -> Result<()> {
    let mut rows = Vec::new();
    let mut ours = Found {
        filled: f64::NAN,
        restarted: f64::NAN,
        ready_ms: f64::NAN,
    };
    for (name, registry) in peers {
        eprintln!("  {name}");
        match measure(site, name, registry) {
            Ok(found) => {
                let restart = |text: String| {
                    if registry.is_durable() {
                        text
                    } else {
                        "forgets them".to_owned()
                    }
                };
                rows.push(vec![
                    (*name).to_owned(),
                    megabytes(found.filled),
                    restart(number(found.ready_ms)),
                    restart(megabytes(found.restarted)),
                ]);
                if *name == GUILDHALL {
                    ours = found;
                }
            }
            Err(error) => rows.push(vec![(*name).to_owned(), format!("failed: {error:#}")]),
        }
    }
    section.table(
        &format!(
            "{} instances of {} services:",
            number(INSTANCES as f64),
            number(SERVICES as f64)
        ),
        &[
            "registry",
            "resident",
            "ready after kill -9, ms",
            "resident then",
        ],
        &rows,
    );
    let resident = ours.filled.max(ours.restarted);
    section.at_most("≤ 300 MB at 100,000 instances", resident, 300e6, megabytes);
    let ready = ours.ready_ms / 1e3;
    section.at_most("ready ≤ 3 s after kill -9", ready, 3.0, |ready| {
        format!("{} s", number(ready))
    });
    Ok(())
}

fn measure(site: &Site<'_>, name: &str, registry: &Arc<dyn Registry>) -> Result<Found> {
    let dir = site.dir(name)?;
    let running = registry.start(&dir)?;
    peers::fill(registry, &running, INSTANCES)?;
    let filled = running.server.usage()?.resident as f64;
    if !registry.is_durable() {
        return Ok(Found {
            filled,
            restarted: f64::NAN,
            ready_ms: f64::NAN,
        });
    }
    running.server.kill()?;
    let running = registry.start(&dir)?;
    check_all_there(registry, &running)?;
    Ok(Found {
        filled,
        restarted: running.server.usage()?.resident as f64,
        ready_ms: milliseconds(running.server.ready_after()),
    })
}

/// Asks for every service, and counts the instances in each answer.
fn check_all_there(registry: &Arc<dyn Registry>, running: &Running) -> Result<()> {
    let plan = Plan {
        address: running.address,
        connections: 8,
        duration: std::time::Duration::from_secs(60),
        requests: SERVICES,
        steps: 1,
        core: None,
    };
    let words = Arc::clone(registry);
    let needle = registry.needle(Instance {
        number: 0,
        change: 0,
    });
    let outcome = load::run(
        plan,
        move |number, bytes| words.query(&service(number), Filter::Healthy, bytes),
        move |reply: &Reply<'_>| {
            let there = memchr::memmem::find_iter(reply.body, &needle).count() as u64;
            reply.is_success() && there == INSTANCES / SERVICES
        },
    )?;
    ensure!(
        outcome.done == SERVICES,
        "{} services lost instances",
        SERVICES - outcome.done
    );
    Ok(())
}
