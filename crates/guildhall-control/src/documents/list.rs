//! Lists: pages of one state.

use std::sync::Arc;

use guildhall_core::access::Caller;
use guildhall_core::document::{Document, DocumentKey, Index, Kind, Namespace, Selector};

use crate::control::Shared;
use crate::view::{Routing, State};
use crate::watch::{Kinds, Scope, Sight};
use crate::{Error, clock};

/// What to list.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// The kind.
    pub kind: Kind,
    /// The namespace; `None`: all that the caller may read.
    pub namespace: Option<Namespace>,
    /// Only documents of this service.
    pub service: Option<Arc<str>>,
    /// Only documents with such labels.
    pub selector: Selector,
    /// At most so many; `None`, 0 and more than the bound mean the bound (5,000).
    pub limit: Option<usize>,
    /// Where an earlier page of the same list ended.
    pub after: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The documents, by namespace and name.
    pub items: Vec<Document>,
    /// As of which index; the same for all pages.
    pub index: Index,
    /// The highest revision that touched what was asked for: the index for a long poll.
    pub touched: Index,
    /// The `continue` token of the next page, if there is one.
    pub next: Option<String>,
}

impl ListQuery {
    /// Everything of `kind` in `namespace`.
    pub fn new(kind: Kind, namespace: Option<Namespace>) -> Self {
        Self {
            kind,
            namespace,
            service: None,
            selector: Selector::default(),
            limit: None,
            after: None,
        }
    }

    /// What a watch of this list watches.
    pub fn scope(&self) -> Scope {
        Scope {
            kinds: Kinds::of(&[self.kind]),
            namespace: self.namespace.clone(),
            service: self.service.clone(),
            names: None,
            selector: self.selector.clone(),
            instances: None,
        }
    }
}

pub(super) fn list(shared: &Shared, caller: &Caller, query: &ListQuery) -> Result<Listed, Error> {
    let scope = query.scope();
    let sight = Sight::of(caller, scope.kinds, scope.namespace.as_ref())?;
    let options = &shared.options.documents;
    let now = clock::now();
    let (state, after) = match &query.after {
        None => (shared.view.load(), None),
        Some(token) => {
            let (index, key) =
                read(token, query.kind).ok_or_else(|| Error::BadContinue(token.clone()))?;
            (
                shared.pages.get(index, options, now).ok_or(Error::Gone)?,
                Some(key),
            )
        }
    };
    let limit = query
        .limit
        .filter(|limit| *limit > 0)
        .map_or(options.page, |limit| limit.min(options.page));
    let mut sees = sight.remembered();
    let mut found = state
        .in_scope(&scope, after.as_ref())
        .filter(|(key, document)| scope.selects(document) && sees(key));
    let routing = Routing::of(&state);
    let mut items = Vec::new();
    let mut last = None;
    for (key, document) in found.by_ref().take(limit) {
        items.push(routing.shown(document));
        last = Some(key);
    }
    // One more is looked for, so that the last page does not promise another.
    let next = if found.next().is_some() {
        last.map(|key| write(&state, key))
    } else {
        None
    };
    if next.is_some() {
        shared.pages.keep(&state, options, now);
    }
    Ok(Listed {
        items,
        index: state.index,
        touched: state.touched(&scope),
        next,
    })
}

/// A token: the index of the state and the last key, so that the next page begins after it.
fn write(state: &State, last: &DocumentKey) -> String {
    format!("{}/{}/{}", state.index, last.namespace, last.name)
}

fn read(token: &str, kind: Kind) -> Option<(Index, DocumentKey)> {
    let mut parts = token.splitn(3, '/');
    let index = parts.next()?.parse().ok()?;
    let namespace = Namespace::new(parts.next()?).ok()?;
    Some((index, DocumentKey::new(kind, namespace, parts.next()?)))
}
