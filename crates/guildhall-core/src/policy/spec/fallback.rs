//! What is answered when a request cannot be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    document::{Namespace, Period, ServiceName},
    policy::described::{object, section},
};

section! {
    /// What is answered when a request cannot be.
    Fallback at "fallback" {
        /// Whether there is another answer at all.
        enabled "enabled": bool, default "true", from "Guildhall", keeps "the answers kept";
        /// Where an answer comes from, in the order in which it is tried; each kind once, `static` last.
        sources "sources": Vec<FallbackSource>, default "[]", from "Guildhall",
            keeps "the answers kept, as long as `cached` is among them";
        /// What is stood in for.
        causes "causes": Vec<FallbackCause>, default r#"["rejected", "failed", "timed-out"]"#, from "Guildhall",
            keeps "the answers kept";
        /// `cached`: how many answers are kept, 1 to 1,000,000.
        max_entries "maxEntries": u32, default "1000", from "Guildhall", keeps "nothing: answers are kept anew";
        /// `cached`: how many bytes they have together, 1 or more.
        max_bytes "maxBytes": u64, default "16777216", from "Guildhall", keeps "nothing: answers are kept anew";
    }
}

/// What a fallback stands in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FallbackCause {
    /// A policy turned the request away: an open breaker, a full bulkhead, no endpoint.
    Rejected,
    /// The service failed: a 5xx, no connection, a broken one.
    Failed,
    /// It took too long.
    TimedOut,
    /// Too many requests, said the service or a limiter.
    Throttled,
}

object! {
    /// Where an answer comes from. Give one of the three.
    FallbackSource {
        optional
        /// The last good answer to the same request.
        cached "cached": CachedAnswer, default "none", from "HTTP's `stale-if-error`";
        optional
        /// Another service.
        service "service": FallbackService, default "none", from "Istio's failover";
        optional
        /// An answer that is always the same.
        fixed "static": StaticAnswer, default "none", from "Envoy's `direct_response`";
    }
}

object! {
    /// The last good answer to the same request.
    CachedAnswer {
        /// How old it may be.
        max_age "maxAge": Period, from "HTTP's `stale-if-error`";
    }
}

object! {
    /// Another service.
    FallbackService {
        /// Its name.
        name "name": ServiceName, from "HTTPRoute's `backendRefs`";
        optional
        /// Its namespace.
        namespace "namespace": Namespace, default "(the policy's)", from "HTTPRoute's `backendRefs`";
    }
}

object! {
    /// An answer that is always the same.
    StaticAnswer {
        optional
        /// Its status, 200 to 599.
        status "status": u16, default "200", from "Envoy's `direct_response`";
        optional
        /// Its headers, at most 32.
        headers "headers": BTreeMap<String, String>, default "{}", from "Envoy's `response_headers_to_add`";
        optional
        /// Its body, at most 64 KiB.
        body "body": String, default r#""""#, from "Envoy's `direct_response`";
    }
}
