//! What a request is known by: to a limiter that counts for each client, or to a balancer that keeps a client with its
//! endpoint.

use serde::{Deserialize, Serialize};

use crate::{
    document::{Pointer, Problems},
    policy::described::object,
};

object! {
    /// What of a request makes its key. A request that has none of it shares one key with all others like it.
    RequestKey {
        /// Where the key is found.
        source "type": KeyType, from "Envoy Gateway's `consistentHash.type`";
        optional
        /// The name of the header, cookie or query parameter; not for the other types.
        name "name": String, default "none", from "Envoy Gateway";
        optional
        /// For `PathSegment`: which one, 0 for the first, up to 63.
        index "index": u8, default "0", from "Guildhall";
    }
}

/// Where a request's key is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyType {
    /// The client's address.
    SourceIP,
    /// The service that calls, as it says in `X-Service-ID`.
    Caller,
    /// A header's first value.
    Header,
    /// A cookie's value.
    Cookie,
    /// A query parameter's first value.
    QueryParam,
    /// A segment of the path.
    PathSegment,
}

impl RequestKey {
    pub(in crate::policy) fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let named = matches!(
            self.source,
            KeyType::Header | KeyType::Cookie | KeyType::QueryParam
        );
        let name = self.name.as_deref().unwrap_or_default();
        if named {
            let fits = match self.source {
                KeyType::QueryParam => (1..=256).contains(&name.len()),
                _ => http::HeaderName::from_bytes(name.as_bytes()).is_ok(),
            };
            problems.check(
                fits,
                at.field("name"),
                "name the header, cookie or query parameter",
            );
        } else {
            problems.check(
                self.name.is_none(),
                at.field("name"),
                "only Header, Cookie and QueryParam have a name; leave it out",
            );
        }
        if let Some(index) = self.index {
            let fits = self.source == KeyType::PathSegment && index < 64;
            problems.check(fits, at.field("index"), "0 to 63, and for PathSegment only");
        }
    }
}
