//! Which document, and under which key the store keeps it.
//!
//! `live/spec/{plural}/{namespace}/{name}` holds a document's metadata and spec,
//! `live/status/{plural}/{namespace}/{name}` its status, so that a status transition leaves the
//! spec's revision alone. Everything under `live/` is watched in one revision order; what is not
//! to wake watchers (timelines) lives outside.

use std::{fmt, sync::Arc};

use super::{Kind, Namespace};

/// The prefix of every watched key.
pub const LIVE: &str = "live/";
/// The prefix of the keys that hold metadata and spec.
pub const SPEC: &str = "live/spec/";
/// The prefix of the keys that hold status.
pub const STATUS: &str = "live/status/";

/// Names one document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey {
    /// What the document describes.
    pub kind: Kind,
    /// The namespace it lives in.
    pub namespace: Namespace,
    /// Its name within kind and namespace: `{service}/{id}` for an instance,
    /// `{service}/{version}` for a version, `{service}/{environment}/{file}` for a file of
    /// configuration, else the document's own name.
    pub name: Arc<str>,
}

/// Which part of a document a store key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// Metadata and spec.
    Spec,
    /// Status.
    Status,
}

impl DocumentKey {
    /// Names the document `name` of `kind` in `namespace`.
    pub fn new(kind: Kind, namespace: Namespace, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            namespace,
            name: name.into(),
        }
    }

    /// The store's key for `part` of the document.
    pub fn store_key(&self, part: KeyPart) -> String {
        let prefix = match part {
            KeyPart::Spec => SPEC,
            KeyPart::Status => STATUS,
        };
        [
            prefix,
            self.kind.plural(),
            "/",
            self.namespace.as_str(),
            "/",
            &self.name,
        ]
        .concat()
    }

    /// Reads a store key back; `None` for keys that hold no document.
    pub fn from_store_key(key: &[u8]) -> Option<(KeyPart, Self)> {
        let key = std::str::from_utf8(key).ok()?;
        let (part, rest) = match (key.strip_prefix(SPEC), key.strip_prefix(STATUS)) {
            (Some(rest), _) => (KeyPart::Spec, rest),
            (_, Some(rest)) => (KeyPart::Status, rest),
            _ => return None,
        };
        let mut pieces = rest.splitn(3, '/');
        let plural = pieces.next()?;
        let kind = Kind::ALL
            .iter()
            .copied()
            .find(|kind| kind.plural() == plural)?;
        let namespace = Namespace::new(pieces.next()?).ok()?;
        Some((part, Self::new(kind, namespace, pieces.next()?)))
    }

    /// The service that an instance or a version belongs to, or that a service is.
    pub fn service(&self) -> Option<&str> {
        match self.kind {
            Kind::Service => Some(&self.name),
            Kind::Instance | Kind::ServiceVersion => {
                self.name.split_once('/').map(|(service, _)| service)
            }
            _ => None,
        }
    }
}

impl fmt::Display for DocumentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_key_reads_back() {
        let key = DocumentKey::new(Kind::Instance, Namespace::default(), "user-service/u:1");
        assert_eq!(
            key.store_key(KeyPart::Spec),
            "live/spec/instances/default/user-service/u:1"
        );
        for part in [KeyPart::Spec, KeyPart::Status] {
            let read = DocumentKey::from_store_key(key.store_key(part).as_bytes());
            assert_eq!(read, Some((part, key.clone())));
        }
        assert_eq!(key.service(), Some("user-service"));
        assert_eq!(DocumentKey::from_store_key(b"timeline/x"), None);
    }
}
