//! What the platform tells of policies, to the policies there are. Pure.

use std::{collections::BTreeMap, sync::Arc};

use guildhall_core::{
    document::{Document, Kind, Metadata},
    policy::{Policies, Policy},
    source::{Change, Update},
};

/// The kind that is watched for.
pub(super) fn kind() -> Option<Kind> {
    Kind::parse("policies")
}

/// The policies of the namespace, as far as they were told.
#[derive(Default)]
pub(super) struct Told(BTreeMap<String, Arc<(Metadata, Policy)>>);

impl Told {
    /// Takes an update; whether it changed any rule.
    pub(super) fn apply(&mut self, update: Update) -> bool {
        match update {
            Update::Full { documents, .. } => {
                let all = documents.iter().filter_map(policy).collect();
                let before = std::mem::replace(&mut self.0, all);
                !before
                    .iter()
                    .map(|(name, known)| (name, known.0.revision))
                    .eq(self.0.iter().map(|(name, known)| (name, known.0.revision)))
            }
            Update::Delta { changes, .. } => {
                let mut changed = false;
                for change in changes {
                    changed |= match change {
                        Change::Put(document) => self.put(&document),
                        Change::Deleted(key) => self.0.remove(&*key.name).is_some(),
                    };
                }
                changed
            }
        }
    }

    /// A status that has changed is no other rule: the revision is the spec's.
    fn put(&mut self, document: &Document) -> bool {
        let Some((name, told)) = policy(document) else {
            return false;
        };
        let known = self.0.get(&name).map(|known| known.0.revision);
        let changed = known != Some(told.0.revision);
        self.0.insert(name, told);
        changed
    }

    /// As they are merged.
    pub(super) fn policies(&self) -> Policies {
        Policies::new(self.0.values().map(|told| (&told.0, &told.1)))
    }
}

fn policy(document: &Document) -> Option<(String, Arc<(Metadata, Policy)>)> {
    let mut value = serde_json::to_value(document).ok()?;
    let policy = serde_json::from_value(value.get_mut("spec")?.take()).ok()?;
    let metadata = document.metadata().clone();
    Some((metadata.name.clone(), Arc::new((metadata, policy))))
}
