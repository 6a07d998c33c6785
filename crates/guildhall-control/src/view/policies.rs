//! The status of policies: what follows for each from the others of its namespace and from what there is to attach to.
//!
//! Nothing of it is stored. It is worked out when the state is read, and for those concerned whenever a policy or
//! something that policies attach to changes; a change of status alone is told to watchers like any other.

use std::{collections::HashSet, sync::Arc};

use guildhall_core::{
    document::{Document, DocumentKey, Kind, Namespace, Object},
    policy::{Policies, Policy, Target, spec::TargetKind},
    route::IMPLICIT_GATEWAY,
};
use imbl::OrdMap;

use super::{fold::Folder, state::of_kind, touches::StatusMark};
use crate::watch::DocumentChange;

type Documents = OrdMap<DocumentKey, Document>;

/// The policies of a namespace, by name.
fn of_namespace<'a>(
    documents: &'a Documents,
    namespace: &Namespace,
) -> impl Iterator<Item = (&'a DocumentKey, &'a Arc<Object<Policy>>)> {
    let first = DocumentKey::new(Kind::Policy, namespace.clone(), "");
    documents
        .range(first..)
        .take_while({
            let namespace = namespace.clone();
            move |(key, _)| key.kind == Kind::Policy && key.namespace == namespace
        })
        .filter_map(|(key, document)| match document {
            Document::Policy(policy) => Some((key, policy)),
            _ => None,
        })
}

/// All policies of a namespace, merged as gateways and SDKs merge them.
pub(super) fn policies(documents: &Documents, namespace: &Namespace) -> Policies {
    Policies::new(
        of_namespace(documents, namespace).map(|(_, policy)| (&policy.metadata, &policy.spec)),
    )
}

/// Whether there is such a target, and such a part of it.
fn exists(documents: &Documents, target: &Target) -> bool {
    let kind = match target.kind {
        TargetKind::Namespace => return true,
        TargetKind::Service => Kind::Service,
        TargetKind::Gateway => Kind::Gateway,
        TargetKind::HttpRoute => Kind::HttpRoute,
        // Not among the kinds of this version.
        TargetKind::GrpcRoute => return false,
    };
    let key = DocumentKey::new(kind, target.namespace.clone(), target.name.as_str());
    let Some(document) = documents.get(&key) else {
        // Who says nothing of Gateways means this one.
        return target.kind == TargetKind::Gateway
            && target.name == IMPLICIT_GATEWAY
            && target.section_name.is_none();
    };
    let Some(section) = &target.section_name else {
        return true;
    };
    match document {
        Document::Gateway(gateway) => {
            let mut listeners = gateway.spec.listeners.iter();
            listeners.any(|listener| listener.name == *section)
        }
        Document::HttpRoute(route) => {
            let mut rules = route.spec.rules.iter();
            rules.any(|rule| rule.name.as_ref() == Some(section))
        }
        _ => false,
    }
}

fn targets(policy: &Object<Policy>) -> impl Iterator<Item = Target> {
    let references = policy.spec.target_refs.iter();
    references.filter_map(|reference| Target::of(reference, &policy.metadata.namespace))
}

/// Gives every policy its status, in a state that was just read.
pub(super) fn begin(documents: &mut Documents) {
    let namespaces: HashSet<Namespace> = of_kind(documents, Kind::Policy)
        .map(|(key, _)| key.namespace.clone())
        .collect();
    for namespace in namespaces {
        let policies = policies(documents, &namespace);
        let found: Vec<_> = of_namespace(documents, &namespace)
            .map(|(key, policy)| (key.clone(), with_status(&policies, policy, documents)))
            .collect();
        documents.extend(found);
    }
}

/// Gives a policy that is about to be written, or would be, the status that it will have.
pub(crate) fn foresee(document: &mut Document, documents: &Documents) {
    let Document::Policy(policy) = document else {
        return;
    };
    let key = policy.key();
    let mut documents = documents.clone();
    documents.insert(key.clone(), Document::Policy(policy.clone()));
    let policies = policies(&documents, &key.namespace);
    *document = with_status(&policies, policy, &documents);
}

fn with_status(policies: &Policies, policy: &Object<Policy>, documents: &Documents) -> Document {
    let status = policies.status(&policy.metadata, &policy.spec, |target| {
        exists(documents, target)
    });
    Document::Policy(Arc::new(Object {
        status: Some(status),
        ..policy.clone()
    }))
}

impl Folder {
    /// Works out anew the status of the policies that the changes of one revision, those from `first` on, concern.
    pub(super) fn follow_policies(&mut self, first: usize, out: &mut Vec<Arc<DocumentChange>>) {
        let mut touched: HashSet<Target> = HashSet::new();
        let revision = self.state.index.revision;
        for change in &out[first..] {
            for side in [&change.before, &change.after] {
                match side {
                    Some(Document::Policy(policy)) => touched.extend(targets(policy)),
                    _ => touched.extend(target(change)),
                }
            }
        }
        let namespaces: HashSet<Namespace> = touched
            .iter()
            .map(|target| target.namespace.clone())
            .collect();
        for namespace in namespaces {
            let concerned: Vec<DocumentKey> = of_namespace(&self.state.documents, &namespace)
                .filter(|(_, policy)| {
                    policy.status.is_none()
                        || targets(policy).any(|target| touches(&touched, &target))
                })
                .map(|(key, _)| key.clone())
                .collect();
            if concerned.is_empty() {
                continue;
            }
            let policies = policies(&self.state.documents, &namespace);
            for key in concerned {
                let Some(Document::Policy(before)) = self.state.documents.get(&key).cloned() else {
                    continue;
                };
                let after = with_status(&policies, &before, &self.state.documents);
                let before = Document::Policy(before);
                if after == before {
                    continue;
                }
                self.state.documents.insert(key.clone(), after.clone());
                let told = out[first..].iter_mut().find(|change| change.key == key);
                match told {
                    // Told once, with the status that it has now.
                    Some(change) => {
                        let before = change.before.clone();
                        *change = Arc::new(DocumentChange::new(
                            change.revision,
                            key,
                            before,
                            Some(after),
                        ));
                    }
                    None => {
                        self.state.touches.touch(&key, revision);
                        let mark = StatusMark {
                            revision,
                            stored: false,
                        };
                        self.state.touches.mark(&key, mark);
                        let (before, after) = (Some(before), Some(after));
                        out.push(Arc::new(DocumentChange::new(revision, key, before, after)));
                    }
                }
            }
        }
    }
}

/// Whether a change concerns a target: itself, or the whole that it is a part of.
fn touches(touched: &HashSet<Target>, target: &Target) -> bool {
    touched.contains(target) || {
        target.section_name.is_some() && {
            let whole = Target {
                section_name: None,
                ..target.clone()
            };
            touched.contains(&whole)
        }
    }
}

/// What came, went or changed its parts, as a target.
fn target(change: &DocumentChange) -> Option<Target> {
    let kind = match change.key.kind {
        Kind::Service => TargetKind::Service,
        Kind::Gateway => TargetKind::Gateway,
        Kind::HttpRoute => TargetKind::HttpRoute,
        _ => return None,
    };
    let same = change.before.is_some() == change.after.is_some();
    // A service has no parts.
    if same && kind == TargetKind::Service {
        return None;
    }
    Some(Target {
        kind,
        namespace: change.key.namespace.clone(),
        name: change.key.name.to_string(),
        section_name: None,
    })
}
