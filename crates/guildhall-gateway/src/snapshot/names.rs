//! The addresses of hosts that are given by name.
//!
//! Pure: what is to be looked up is told, what was found is fed in. The lookups themselves run on
//! the snapshot thread, never on a worker.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

/// Names that instances use, and what they stand for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashMap<Box<str>, Name>,
}

#[derive(Debug, Default)]
struct Name {
    /// Empty until the first lookup succeeds; kept when a later one fails.
    addresses: Vec<IpAddr>,
    looked_up: Option<Instant>,
    under_way: bool,
    /// Whether it was asked for since the last [`Names::forget_unused`].
    used: bool,
}

impl Names {
    /// The addresses of `host:port`; `None` while they are not known.
    pub(crate) fn addresses(&mut self, host: &str, port: u16) -> Option<Arc<[SocketAddr]>> {
        let bare = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Arc::new([SocketAddr::new(address, port)]));
        }
        let name = self.known.entry(host.into()).or_default();
        name.used = true;
        if name.addresses.is_empty() {
            return None;
        }
        Some(
            name.addresses
                .iter()
                .map(|address| SocketAddr::new(*address, port))
                .collect(),
        )
    }

    /// The names to look up now: new ones, and those last looked up `refresh` ago. They count as
    /// under way until [`Names::found`].
    pub(crate) fn due(&mut self, now: Instant, refresh: Duration) -> Vec<Box<str>> {
        let due = self.known.iter_mut().filter(|(_, name)| {
            let old = name
                .looked_up
                .is_none_or(|at| now.saturating_duration_since(at) >= refresh);
            old && !name.under_way
        });
        due.map(|(host, name)| {
            name.under_way = true;
            host.clone()
        })
        .collect()
    }

    /// Whether a name waits for its first addresses.
    pub(crate) fn is_waiting(&self) -> bool {
        self.known
            .values()
            .any(|name| name.under_way && name.looked_up.is_none())
    }

    /// Notes what a lookup found, and says whether that changes anything.
    pub(crate) fn found(
        &mut self,
        host: &str,
        addresses: Option<Vec<IpAddr>>,
        now: Instant,
    ) -> bool {
        let Some(name) = self.known.get_mut(host) else {
            return false;
        };
        name.under_way = false;
        name.looked_up = Some(now);
        match addresses {
            Some(addresses) if !addresses.is_empty() && addresses != name.addresses => {
                name.addresses = addresses;
                true
            }
            _ => false,
        }
    }

    /// Begins a new count of which names are used.
    pub(crate) fn begin_use(&mut self) {
        for name in self.known.values_mut() {
            name.used = false;
        }
    }

    /// Forgets the names that no instance has used since [`Names::begin_use`].
    pub(crate) fn forget_unused(&mut self) {
        self.known.retain(|_, name| name.used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_itself_and_a_name_waits_for_its_lookup() {
        let start = crate::clock::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let refresh = Duration::from_secs(30);
        let mut names = Names::default();
        let shown = |found: Option<Arc<[SocketAddr]>>| found.map(|a| format!("{a:?}"));
        assert_eq!(
            shown(names.addresses("10.0.0.1", 80)).as_deref(),
            Some("[10.0.0.1:80]")
        );
        assert_eq!(
            shown(names.addresses("[::1]", 80)).as_deref(),
            Some("[[::1]:80]")
        );
        assert!(names.due(at(0), refresh).is_empty());

        assert_eq!(names.addresses("db", 80), None);
        assert_eq!(names.due(at(0), refresh), [Box::<str>::from("db")]);
        assert!(names.due(at(0), refresh).is_empty(), "it is under way");
        assert!(names.is_waiting());
        let one: IpAddr = "10.0.0.2".parse().unwrap();
        assert!(names.found("db", Some(vec![one]), at(1)));
        assert!(!names.is_waiting());
        assert_eq!(
            shown(names.addresses("db", 80)).as_deref(),
            Some("[10.0.0.2:80]")
        );

        assert!(names.due(at(30), refresh).is_empty());
        assert_eq!(names.due(at(31), refresh), [Box::<str>::from("db")]);
        assert!(
            !names.found("db", None, at(31)),
            "a failed lookup keeps what was known"
        );
        assert!(names.addresses("db", 80).is_some());
        names.begin_use();
        names.forget_unused();
        assert!(!names.found("db", Some(vec![one]), at(32)));
    }
}
