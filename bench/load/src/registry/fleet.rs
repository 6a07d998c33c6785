//! The fleet that every peer is filled with: services by number, instances that differ in what discovery filters by.

/// Services of the fleet.
pub(super) const SERVICES: u64 = 1_000;

/// One instance, before a peer writes it down in its own words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instance {
    /// Its number in the whole fleet, from 0.
    pub(super) number: u64,
    /// How often it changed: a new value is a change that watchers must see.
    pub(super) change: u64,
}

impl Instance {
    /// Its service: the fleet's instances are dealt out to the services in turn.
    pub(super) fn service(self) -> String {
        service(self.number % SERVICES)
    }

    /// Its rank within its service.
    fn rank(self) -> u64 {
        self.number / SERVICES
    }

    /// Its id, unique in its service.
    pub(super) fn id(self) -> String {
        format!("i{:06}", self.number)
    }

    /// An address that nobody checks.
    pub(super) fn host(self) -> String {
        format!(
            "10.{}.{}.{}",
            self.number >> 16 & 255,
            self.number >> 8 & 255,
            self.number & 255
        )
    }

    /// One of three zones.
    pub(super) fn zone(self) -> &'static str {
        ["z0", "z1", "z2"][(self.rank() % 3) as usize]
    }

    /// A quarter of a service's instances are canaries.
    pub(super) fn tag(self) -> &'static str {
        if self.rank().is_multiple_of(4) {
            "canary"
        } else {
            "stable"
        }
    }

    /// Two versions are live.
    pub(super) fn version(self) -> &'static str {
        ["1.0.0", "1.1.0"][(self.rank() % 2) as usize]
    }

    /// What marks this change on the wire: nine bytes, so that base64 of a text that begins with them does, too.
    pub(super) fn mark(self) -> String {
        format!("m{:08}", self.change % 100_000_000)
    }
}

/// A service's name.
pub(super) fn service(number: u64) -> String {
    format!("service-{number:04}")
}

/// What discovery asks for, in turn.
#[derive(Debug, Clone, Copy)]
pub(super) enum Filter {
    /// Every healthy instance.
    Healthy,
    /// The canaries.
    Tag,
    /// One zone.
    Zone,
    /// One version.
    Version,
}

impl Filter {
    /// The filter of the n-th query.
    pub(super) fn of(number: u64) -> Self {
        [Self::Healthy, Self::Tag, Self::Zone, Self::Version][(number % 4) as usize]
    }
}
