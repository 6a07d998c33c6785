//! Who asks, and whether they may.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::document::{Kind, Namespace};

/// Who makes a call, and how it reached the platform. Every control handle takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who: a token's name, `anonymous`, or `system` for the platform's own duties.
    pub principal: Arc<str>,
    /// Through what the call came.
    pub via: Via,
    /// The request's id, as in its log line.
    pub request_id: Arc<str>,
    /// What the principal may do.
    pub grants: Arc<[Grant]>,
}

/// Through what a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The native HTTP API.
    Api,
    /// The platform itself: a check, a reaper.
    System,
    /// A foreign protocol; such callers may use wide service names.
    Adapter,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// It looks.
    Read,
    /// It sees what is sealed.
    Reveal,
    /// It changes documents.
    Write,
    /// It changes the platform: snapshots, settings, audit.
    Admin,
}

impl Verb {
    /// Whether who may do this may do `other`: read is part of all, and everything is part of admin. To write does not take
    /// to see what is sealed.
    pub fn includes(self, other: Self) -> bool {
        self == other || self == Self::Admin || other == Self::Read
    }
}

/// One thing a principal may do: a verb (and those it includes) in a namespace or in all.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// What is granted, and what that includes.
    pub verb: Verb,
    /// Where; `None` is everywhere.
    pub namespace: Option<Namespace>,
}

/// A call that its caller's grants do not cover.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{principal} may not {verb:?} {what}; ask for a token with that scope")]
pub struct Denied {
    /// Who asked.
    pub principal: Arc<str>,
    /// What for.
    pub verb: Verb,
    /// On what.
    pub what: String,
}

impl Caller {
    /// The platform's own duties.
    pub fn system(request_id: impl Into<Arc<str>>) -> Self {
        let grants = [Grant {
            verb: Verb::Admin,
            namespace: None,
        }];
        Self {
            principal: "system".into(),
            via: Via::System,
            request_id: request_id.into(),
            grants: grants.into(),
        }
    }
}

/// Whether `caller` may `verb` the document `name` of `kind` in `namespace`.
///
/// `None` stands for all: every kind, every namespace, every name.
pub fn authorize(
    caller: &Caller,
    verb: Verb,
    kind: Option<Kind>,
    namespace: Option<&Namespace>,
    name: Option<&str>,
) -> Result<(), Denied> {
    let covers = |grant: &Grant| {
        grant.verb.includes(verb)
            && (grant.namespace.is_none() || grant.namespace.as_ref() == namespace)
    };
    if caller.grants.iter().any(covers) {
        return Ok(());
    }
    let kind = kind.map_or("everything", Kind::word);
    let what = match (namespace, name) {
        (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
        (Some(namespace), None) => format!("{kind} in namespace {namespace}"),
        (None, _) => format!("{kind} in all namespaces"),
    };
    Err(Denied {
        principal: caller.principal.clone(),
        verb,
        what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_covers_what_it_includes_in_its_namespace() {
        let shop = Namespace::new("shop").unwrap();
        let bank = Namespace::new("bank").unwrap();
        let grants = [Grant {
            verb: Verb::Write,
            namespace: Some(shop.clone()),
        }];
        let caller = Caller {
            grants: grants.into(),
            ..Caller::system("r")
        };
        let may = |verb, namespace| {
            authorize(&caller, verb, Some(Kind::Service), namespace, Some("x")).is_ok()
        };
        assert!(may(Verb::Read, Some(&shop)) && may(Verb::Write, Some(&shop)));
        assert!(
            !may(Verb::Admin, Some(&shop))
                && !may(Verb::Read, Some(&bank))
                && !may(Verb::Read, None)
        );
        assert!(!may(Verb::Reveal, Some(&shop)));
        assert!(authorize(&Caller::system("r"), Verb::Admin, None, None, None).is_ok());
        assert!(Verb::Admin.includes(Verb::Reveal) && Verb::Reveal.includes(Verb::Read));
        assert!(!Verb::Reveal.includes(Verb::Write));
    }
}
