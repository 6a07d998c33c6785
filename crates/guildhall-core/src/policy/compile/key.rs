//! What a request is known by, ready to be looked up.

use http::HeaderName;

use crate::policy::spec::{KeyType, RequestKey};

/// What of a request makes its key. Two that mean the same are equal, however they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyedBy {
    /// The client's address.
    #[default]
    SourceIp,
    /// The calling service, as it says in `X-Service-ID`.
    Caller,
    /// This header's first value.
    Header(HeaderName),
    /// This cookie's value.
    Cookie(String),
    /// This query parameter's first value.
    QueryParam(String),
    /// This segment of the path, 0 for the first.
    PathSegment(u8),
}

impl RequestKey {
    /// `None` for one that [`RequestKey::validate`] refuses.
    pub(super) fn compile(&self) -> Option<KeyedBy> {
        let name = || self.name.clone();
        match self.source {
            KeyType::SourceIP => Some(KeyedBy::SourceIp),
            KeyType::Caller => Some(KeyedBy::Caller),
            KeyType::Header => HeaderName::try_from(name()?).ok().map(KeyedBy::Header),
            KeyType::Cookie => name().map(KeyedBy::Cookie),
            KeyType::QueryParam => name().map(KeyedBy::QueryParam),
            KeyType::PathSegment => Some(KeyedBy::PathSegment(self.index.unwrap_or(0))),
        }
    }
}
