//! What is remembered of services whose last document is gone: the revision that took it.
//!
//! A long poll's index must never go backwards, also when the service it asks about vanishes,
//! and it should not move because some other service vanished. So each of the last
//! [`Tombstones::KEPT`] services to go keeps its own revision. Of those that went before only
//! the highest revision is kept, the *floor*, which then stands for every service that is not
//! there and not remembered. Both are safe: the floor is at least each revision it replaces, so
//! no index falls; and a service that returns does so at a revision above the floor. The price
//! is that a poll on a long-gone service may once be answered early, with what it already knew.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::document::Namespace;

#[derive(Clone, Debug, Default)]
pub(super) struct Tombstones {
    /// The revision at which a service went, by `{namespace}/{service}`.
    revisions: OrdMap<Arc<str>, u64>,
    /// The same from the oldest on.
    by_age: OrdSet<(u64, Arc<str>)>,
    floor: u64,
}

impl Tombstones {
    /// How many services that are gone keep a revision of their own; about 150 bytes each.
    pub(super) const KEPT: usize = 4096;

    /// Nothing remembered; every unknown service stands at `floor`.
    pub(super) fn at(floor: u64) -> Self {
        Self {
            floor,
            ..Self::default()
        }
    }

    /// Remembers that the service was last touched at `revision`.
    pub(super) fn bury(&mut self, namespace: &Namespace, service: &str, revision: u64) {
        let name: Arc<str> = name(namespace, service).into();
        let revision = revision.max(self.take(&name).unwrap_or(self.floor));
        self.revisions.insert(name.clone(), revision);
        self.by_age.insert((revision, name));
        if self.revisions.len() > Self::KEPT {
            let oldest = self.by_age.get_min().cloned();
            if let Some((revision, name)) = oldest {
                self.take(&name);
                self.floor = self.floor.max(revision);
            }
        }
    }

    /// Forgets the service, which is back, and says where it stood.
    pub(super) fn exhume(&mut self, namespace: &Namespace, service: &str) -> u64 {
        if self.revisions.is_empty() {
            return self.floor;
        }
        self.take(&name(namespace, service)).unwrap_or(self.floor)
    }

    /// Where a service that is not there stands.
    pub(super) fn revision(&self, namespace: &Namespace, service: &str) -> u64 {
        let own = self.revisions.get(&*name(namespace, service)).copied();
        own.unwrap_or(self.floor)
    }

    fn take(&mut self, name: &str) -> Option<u64> {
        let (name, revision) = self.revisions.remove_with_key(name)?;
        self.by_age.remove(&(revision, name));
        Some(revision)
    }
}

fn name(namespace: &Namespace, service: &str) -> String {
    format!("{namespace}/{service}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_leave_their_revision_as_the_floor() {
        let namespace = Namespace::default();
        let mut graves = Tombstones::at(5);
        let count = Tombstones::KEPT as u64 + 3;
        for n in 0..count {
            graves.bury(&namespace, &format!("s{n}"), 10 + n);
        }
        assert_eq!(graves.revisions.len(), Tombstones::KEPT);
        assert_eq!(graves.by_age.len(), Tombstones::KEPT);
        assert_eq!(graves.floor, 12, "s0, s1 and s2 are forgotten");
        for n in 0..count {
            let expect = (10 + n).max(12);
            assert_eq!(graves.revision(&namespace, &format!("s{n}")), expect);
        }
        assert_eq!(graves.revision(&namespace, "never"), 12);
        assert_eq!(graves.exhume(&namespace, "s3"), 13);
        assert_eq!(graves.revision(&namespace, "s3"), 12);
    }
}
