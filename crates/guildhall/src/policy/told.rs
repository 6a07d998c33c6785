//! What the platform tells of policies, to the policies there are. Pure.

use std::{collections::BTreeMap, sync::Arc};

use guildhall_core::{
    document::{Document, Kind, Object},
    policy::{Policies, Policy},
    source::{Change, Update},
};

/// The policies of the namespace by name, as far as they were told.
#[derive(Default)]
pub(super) struct Told(BTreeMap<String, Arc<Object<Policy>>>);

impl Told {
    /// Takes an update; whether it changed any rule. A status that has changed is no other rule: the revision is the
    /// spec's.
    pub(super) fn apply(&mut self, update: Update) -> bool {
        match update {
            Update::Full { documents, .. } => {
                let before = std::mem::take(self);
                documents.into_iter().for_each(|document| {
                    self.put(document);
                });
                before.revisions().ne(self.revisions())
            }
            Update::Delta { changes, .. } => {
                let mut changed = false;
                for change in changes {
                    changed |= match change {
                        Change::Put(document) => self.put(document),
                        Change::Deleted(key) if key.kind == Kind::Policy => {
                            self.0.remove(&*key.name).is_some()
                        }
                        Change::Deleted(_) => false,
                    };
                }
                changed
            }
        }
    }

    fn put(&mut self, document: Document) -> bool {
        let Document::Policy(policy) = document else {
            return false;
        };
        let revision = policy.metadata.revision;
        let before = self.0.insert(policy.metadata.name.clone(), policy);
        before.is_none_or(|before| before.metadata.revision != revision)
    }

    fn revisions(&self) -> impl Iterator<Item = (&String, u64)> {
        let policies = self.0.iter();
        policies.map(|(name, policy)| (name, policy.metadata.revision))
    }

    /// As they are merged.
    pub(super) fn policies(&self) -> Policies {
        Policies::new(self.0.values().map(|told| (&told.metadata, &told.spec)))
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::{
        document::{Index, Metadata, Namespace, decode},
        policy::Chain,
    };

    use super::*;

    fn policy(name: &str, revision: u64, attempts: u32) -> Document {
        let spec = format!(
            r#"{{"targetRefs": [{{"kind": "Service", "name": "users"}}], "retry": {{"attempts": {attempts}}}}}"#
        );
        let metadata = Metadata {
            revision,
            ..Metadata::named(Namespace::default(), name)
        };
        let spec: Policy = decode(&spec, "/spec").unwrap();
        Object::new(metadata, spec).into()
    }

    fn index(revision: u64) -> Index {
        Index {
            incarnation: 1,
            revision,
        }
    }

    fn delta(revision: u64, change: Change) -> Update {
        Update::Delta {
            index: index(revision),
            changes: vec![change],
        }
    }

    fn attempts(told: &Told) -> Option<u32> {
        let chain = Chain::default().service(&Namespace::default(), "users");
        let merged = told.policies().resolve(&chain).enforced.sections;
        merged.retry?.attempts
    }

    #[test]
    fn rules_change_with_specs_and_not_with_statuses() {
        let mut told = Told::default();
        let full = |documents| Update::Full {
            index: Some(index(5)),
            documents,
        };
        assert!(told.apply(full(vec![policy("a", 5, 1)])));
        assert!(!told.apply(full(vec![policy("a", 5, 1)])));
        assert_eq!(attempts(&told), Some(1));
        assert!(!told.apply(delta(6, Change::Put(policy("a", 5, 1)))));
        assert!(told.apply(delta(7, Change::Put(policy("a", 7, 2)))));
        assert_eq!(attempts(&told), Some(2));
        let gone = Change::Deleted(policy("a", 7, 2).key());
        assert!(told.apply(delta(8, gone.clone())));
        assert!(!told.apply(delta(9, gone)));
        assert_eq!(attempts(&told), None);
    }
}
