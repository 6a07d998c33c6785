//! Everything there is at one revision.

use std::ops::Bound;

use guildhall_core::document::{Document, DocumentKey, Index, Kind, Namespace};
use guildhall_core::policy::Policies;
use guildhall_core::registry::Catalog;
use imbl::OrdMap;

use super::touches::Touches;
use crate::watch::Scope;

/// Every document as of one index. Immutable; shared by all readers; cheap to keep.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// As of which index.
    pub index: Index,
    /// All documents, each with the status that holds: the stored one, or for an instance without
    /// one what follows from its checks. Ordered by kind, namespace, name.
    pub documents: OrdMap<DocumentKey, Document>,
    /// The services among them.
    pub catalog: Catalog,
    pub(super) touches: Touches,
}

impl State {
    /// One document.
    pub fn get(&self, key: &DocumentKey) -> Option<&Document> {
        self.documents.get(key)
    }

    /// All policies of a namespace, ready to be merged.
    pub fn policies(&self, namespace: &Namespace) -> Policies {
        super::policies::policies(&self.documents, namespace)
    }

    /// The highest revision that touched a key of `scope`, deletions included, with this state's
    /// incarnation: the index of a long poll. Never 0 and never backwards; labels are not asked,
    /// so that with a selector it may rise without cause.
    pub fn touched(&self, scope: &Scope) -> Index {
        let kinds = scope.kinds.iter();
        let revision = match (&scope.namespace, &scope.service, &scope.names) {
            (Some(namespace), _, Some(names)) => kinds
                .flat_map(|kind| names.iter().map(move |name| (kind, name)))
                .map(|(kind, name)| {
                    self.touched_document(&DocumentKey::new(kind, namespace.clone(), name.clone()))
                })
                .max(),
            (Some(namespace), Some(service), _) => {
                Some(self.catalog.service_revision(namespace, service))
            }
            (Some(namespace), ..) => kinds
                .map(|kind| self.touches.namespace(kind, namespace))
                .max(),
            (None, ..) => kinds.map(|kind| self.touches.kind(kind)).max(),
        };
        Index {
            revision: revision.unwrap_or_default().max(1),
            ..self.index
        }
    }

    fn touched_document(&self, key: &DocumentKey) -> u64 {
        match self.documents.get(key) {
            Some(document) => document.metadata().revision.max(self.touches.document(key)),
            // It may have been deleted by any revision up to the last that touched its like.
            None => self.touches.namespace(key.kind, &key.namespace),
        }
    }

    /// The revision of the status that the store keeps for the document, if it keeps one.
    pub(crate) fn stored_status(&self, key: &DocumentKey) -> Option<u64> {
        self.touches
            .status(key)
            .filter(|mark| mark.stored)
            .map(|mark| mark.revision)
    }

    /// The documents whose keys are in scope, in order, from the one after `after` on; labels are
    /// not asked.
    pub(crate) fn in_scope<'a>(
        &'a self,
        scope: &'a Scope,
        after: Option<&'a DocumentKey>,
    ) -> impl Iterator<Item = (&'a DocumentKey, &'a Document)> {
        scope
            .kinds
            .iter()
            .filter(move |kind| after.is_none_or(|after| *kind >= after.kind))
            .flat_map(move |kind| {
                let segment = Segment::of(scope, kind);
                let start = match after.filter(|after| after.kind == kind) {
                    Some(after) => Bound::Excluded(after.clone()),
                    None => Bound::Included(segment.first.clone()),
                };
                self.documents
                    .range((start, Bound::Unbounded))
                    .take_while(move |(key, _)| segment.holds(key))
            })
            .filter(|(key, _)| scope.holds_key(key))
    }
}

/// The documents of one kind, in order.
pub(super) fn of_kind(
    documents: &OrdMap<DocumentKey, Document>,
    kind: Kind,
) -> impl Iterator<Item = (&DocumentKey, &Document)> {
    let all = documents.range(first_of(kind)..);
    all.take_while(move |(key, _)| key.kind == kind)
}

/// No key of `kind` sorts before this one.
fn first_of(kind: Kind) -> DocumentKey {
    DocumentKey::new(kind, Namespace::new("0").unwrap_or_default(), "")
}

/// The consecutive keys of one kind among which a scope's lie.
struct Segment {
    first: DocumentKey,
    whole_kind: bool,
    exact: bool,
}

impl Segment {
    fn of(scope: &Scope, kind: Kind) -> Self {
        let Some(namespace) = scope.namespace.clone() else {
            let first = first_of(kind);
            return Self {
                first,
                whole_kind: true,
                exact: false,
            };
        };
        let name = match (scope.names.as_deref(), &scope.service) {
            (Some([name]), _) => Some((name.to_string(), true)),
            (_, Some(service)) if kind == Kind::Service => Some((service.to_string(), true)),
            (_, Some(service)) => Some((format!("{service}/"), false)),
            (_, None) => None,
        };
        let (name, exact) = name.unwrap_or_default();
        Self {
            first: DocumentKey::new(kind, namespace, name),
            whole_kind: false,
            exact,
        }
    }

    fn holds(&self, key: &DocumentKey) -> bool {
        let name = if self.exact {
            key.name == self.first.name
        } else {
            key.name.starts_with(&*self.first.name)
        };
        key.kind == self.first.kind
            && (self.whole_kind || (key.namespace == self.first.namespace && name))
    }
}
