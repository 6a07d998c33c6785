//! Which documents somebody watches.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use guildhall_core::access::{Caller, Grant, Verb, authorize};
use guildhall_core::document::{Document, DocumentKey, Kind, Namespace, Selector};
use guildhall_core::registry::Query;

/// A set of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kinds(u32);

impl Kinds {
    /// Every kind.
    pub const ALL: Self = Self(u32::MAX);

    /// The kinds given.
    pub fn of(kinds: &[Kind]) -> Self {
        Self(kinds.iter().fold(0, |set, kind| set | bit(*kind)))
    }

    /// Whether `kind` is among them.
    pub fn contains(self, kind: Kind) -> bool {
        self.0 & bit(kind) != 0
    }

    /// The kinds, in the order documents are kept in.
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL
            .iter()
            .copied()
            .filter(move |kind| self.contains(*kind))
    }
}

fn bit(kind: Kind) -> u32 {
    1 << (kind as u32)
}

impl std::fmt::Debug for Kinds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Which documents somebody watches: those that every field lets through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Of these kinds.
    pub kinds: Kinds,
    /// In this namespace; `None`: in all that the caller may read.
    pub namespace: Option<Namespace>,
    /// The service, its versions and its instances.
    pub service: Option<Arc<str>>,
    /// The documents of exactly these names, in the key's form and in order.
    pub names: Option<Arc<[Arc<str>]>>,
    /// With such labels.
    pub selector: Selector,
    /// Of instances only those that discovery with this query would find; who comes under it is added, who leaves it
    /// deleted.
    pub instances: Option<Arc<Query>>,
}

impl Scope {
    /// Everything.
    pub fn all() -> Self {
        Self::kinds(Kinds::ALL)
    }

    /// The documents of `kinds` in all namespaces.
    pub fn kinds(kinds: Kinds) -> Self {
        Self {
            kinds,
            namespace: None,
            service: None,
            names: None,
            selector: Selector::default(),
            instances: None,
        }
    }

    /// A service with its versions and instances.
    pub fn service(namespace: Namespace, service: impl Into<Arc<str>>) -> Self {
        let kinds = Kinds::of(&[Kind::Service, Kind::ServiceVersion, Kind::Instance]);
        Self {
            namespace: Some(namespace),
            service: Some(service.into()),
            ..Self::kinds(kinds)
        }
    }

    /// One document.
    pub fn document(key: &DocumentKey) -> Self {
        Self::documents(key.kind, key.namespace.clone(), [key.name.clone()])
    }

    /// Some documents of one kind.
    pub fn documents(
        kind: Kind,
        namespace: Namespace,
        names: impl IntoIterator<Item = Arc<str>>,
    ) -> Self {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable();
        names.dedup();
        Self {
            namespace: Some(namespace),
            names: Some(names.into()),
            ..Self::kinds(Kinds::of(&[kind]))
        }
    }

    /// The same in one namespace only.
    pub fn in_namespace(self, namespace: Namespace) -> Self {
        Self {
            namespace: Some(namespace),
            ..self
        }
    }

    /// The same, only documents that `selector` selects.
    pub fn selected(self, selector: Selector) -> Self {
        Self { selector, ..self }
    }

    /// The same, of instances only those that `query` finds.
    pub fn finding(self, query: &Query) -> Self {
        // The order in which instances are told says nothing, and most ask for none.
        let query = Query {
            near: None,
            ..query.clone()
        };
        let instances = (query != Query::all()).then(|| Arc::new(query));
        Self { instances, ..self }
    }

    /// Whether the key is in scope; selector and query are not asked.
    pub(crate) fn holds_key(&self, key: &DocumentKey) -> bool {
        self.kinds.contains(key.kind)
            && self
                .namespace
                .as_ref()
                .is_none_or(|namespace| *namespace == key.namespace)
            && self
                .names
                .as_ref()
                .is_none_or(|names| names.contains(&key.name))
            && self
                .service
                .as_ref()
                .is_none_or(|service| key.service() == Some(service))
    }

    /// Whether selector and query select `document`.
    pub(crate) fn selects(&self, document: &Document) -> bool {
        let labelled = self.selector.is_empty() || self.selector.matches(document.labels());
        labelled && self.finds(document)
    }

    fn finds(&self, document: &Document) -> bool {
        let (Some(query), Document::Instance(instance)) = (&self.instances, document) else {
            return true;
        };
        let status = instance.status.as_ref();
        query.matches(&instance.spec)
            && (!query.healthy || status.is_some_and(|status| status.health.is_used()))
    }
}

/// Which of the documents in scope a caller may see. Equal for callers who may do the same.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    /// All: the call was authorized as a whole.
    Whole,
    /// Those of the namespaces that the caller may read.
    Of(Caller),
}

impl Sight {
    /// What it goes by, where that is not everything.
    fn grants(&self) -> Option<&[Grant]> {
        match self {
            Self::Whole => None,
            Self::Of(caller) => Some(&caller.grants),
        }
    }

    /// What `caller` sees of `kinds` in `namespace`, or the refusal.
    ///
    /// Whoever may read some namespaces only sees those when asking for all.
    pub(crate) fn of(
        caller: &Caller,
        kinds: Kinds,
        namespace: Option<&Namespace>,
    ) -> Result<Self, guildhall_core::access::Denied> {
        let mut one = kinds.iter();
        let kind = one.next().filter(|_| one.next().is_none());
        match authorize(caller, Verb::Read, kind, namespace, None) {
            Ok(()) => Ok(Self::Whole),
            Err(_) if namespace.is_none() && !caller.grants.is_empty() => {
                Ok(Self::Of(caller.clone()))
            }
            Err(denied) => Err(denied),
        }
    }

    /// Whether a document under `key` is seen.
    pub(crate) fn sees(&self, key: &DocumentKey) -> bool {
        match self {
            Self::Whole => true,
            Self::Of(caller) => authorize(
                caller,
                Verb::Read,
                Some(key.kind),
                Some(&key.namespace),
                Some(&key.name),
            )
            .is_ok(),
        }
    }

    /// A memory of [`Sight::sees`] for one pass over many documents.
    pub(crate) fn remembered(&self) -> impl FnMut(&DocumentKey) -> bool + '_ {
        let mut known: BTreeMap<(Kind, Namespace), bool> = BTreeMap::new();
        move |key| match self {
            Self::Whole => true,
            Self::Of(_) => *known
                .entry((key.kind, key.namespace.clone()))
                .or_insert_with(|| self.sees(key)),
        }
    }
}

impl PartialEq for Sight {
    fn eq(&self, other: &Self) -> bool {
        self.grants() == other.grants()
    }
}

impl Eq for Sight {}

impl Hash for Sight {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.grants().hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_holds_what_every_field_lets_through() {
        let shop = Namespace::new("shop").unwrap();
        let key = |kind, name: &str| DocumentKey::new(kind, shop.clone(), name);
        let scope = Scope::service(shop.clone(), "users");
        assert!(scope.holds_key(&key(Kind::Service, "users")));
        assert!(scope.holds_key(&key(Kind::Instance, "users/u1")));
        assert!(!scope.holds_key(&key(Kind::Instance, "orders/u1")));
        assert!(!scope.holds_key(&key(Kind::Gateway, "users")));
        assert!(!scope.holds_key(&DocumentKey::new(
            Kind::Service,
            Namespace::default(),
            "users"
        )));
        let one = Scope::document(&key(Kind::Lock, "leader"));
        assert!(
            one.holds_key(&key(Kind::Lock, "leader")) && !one.holds_key(&key(Kind::Lock, "other"))
        );
        assert!(Scope::all().holds_key(&key(Kind::HttpRoute, "r")));
    }
}
