//! Configuration over HTTP beside etcd and rnacos: publishes, reads, and 10,000 who listen. Each part is one file here;
//! what a peer's requests look like is one file each under `peers/`.
//!
//! As with the registry nothing is pinned: the servers share both cores with the load, whose part is reported. CPU per
//! operation is the server's alone.

mod listeners;
mod peers;
mod publishes;
mod reads;
mod release;

use anyhow::Result;

use crate::report::Section;
use crate::site::Site;

/// Clients of the load, each with a connection of its own.
const CLIENTS: usize = 64;
/// Files that are there, where some are.
const FILES: u64 = 1_000;

/// One part: measures the peers, and adds its tables and bars.
type Part = fn(&Site<'_>, &[peers::Named], &mut Section) -> Result<()>;

/// Runs the parts that the options ask for.
pub(crate) fn run(site: &Site<'_>) -> Result<Section> {
    let mut section = Section::new(site, "Configuration");
    let peers = peers::all(site.options, &mut section);
    let parts: [(&str, Part); 3] = [
        ("publishes", publishes::run),
        ("reads", reads::run),
        ("listeners", listeners::run),
    ];
    for (name, part) in parts {
        if site.options.wants_part(name) {
            eprintln!("{name}");
            part(site, &peers, &mut section)?;
        }
    }
    Ok(section)
}
