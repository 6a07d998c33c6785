//! The registry over HTTP beside etcd and rnacos: registrations, discovery under churn, change to watchers, and 100,000
//! instances. Each part is one file here; what a peer's requests look like is one file each under `peers/`.
//!
//! Nothing is pinned: the servers are free to use both cores, which they share with the load. So the rates are those of
//! this machine with the load on it, the same for every peer; CPU per operation is the server's alone.

mod discovery;
mod fleet;
mod peers;
mod registrations;
mod scale;
mod watchers;

use anyhow::Result;

use crate::report::Section;
use crate::site::Site;

/// Clients of the load, each with a connection of its own.
const CLIENTS: usize = 64;

/// One part: measures the peers, and adds its tables and bars.
type Part = fn(&Site<'_>, &[peers::Named], &mut Section) -> Result<()>;

/// Runs the parts that the options ask for.
pub(crate) fn run(site: &Site<'_>) -> Result<Section> {
    let mut section = Section::new(site, "Registry");
    let peers = peers::all(site.options, &mut section);
    let parts: [(&str, Part); 4] = [
        ("registrations", registrations::run),
        ("discovery", discovery::run),
        ("watchers", watchers::run),
        ("scale", scale::run),
    ];
    for (name, part) in parts {
        if site.options.wants_part(name) {
            eprintln!("{name}");
            part(site, &peers, &mut section)?;
        }
    }
    Ok(section)
}
