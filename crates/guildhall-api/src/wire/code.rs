//! The codes of the API's errors. Stable: programs match on them.

use std::fmt;

use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $word:literal, $status:ident, $title:literal;)*) => {
        /// What went wrong, for programs. Each has a page, `docs/errors/{code}.md`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* #[serde(rename = $word)] $code,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$code,)*];

            /// As in `code` and at the end of `type`.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$code => $word,)* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)* }
            }

            /// What happened, in a few words; the same for every occurrence.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)* }
            }
        }
    };
}

codes! {
    /// A parameter, a header or the body's outer form is not what the call takes.
    BadRequest = "bad-request", BAD_REQUEST, "The request is not well formed";
    /// The document breaks a rule; `errors` points at each bad field.
    InvalidDocument = "invalid-document", UNPROCESSABLE_ENTITY, "The document is not valid";
    /// There is no token, or it is not known.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "A valid token is needed";
    /// The token does not cover the call.
    Forbidden = "forbidden", FORBIDDEN, "The token does not allow this";
    /// The change takes the approval of others.
    ApprovalRequired = "approval-required", FORBIDDEN, "Others must approve this first";
    /// The path is the API's, what it names does not exist.
    NotFound = "not-found", NOT_FOUND, "There is no such document";
    /// No such path in the API.
    UnknownPath = "unknown-path", NOT_FOUND, "There is no such path";
    /// The path takes other methods.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "The path does not take this method";
    /// `If-Match` or `If-None-Match` does not hold.
    PreconditionFailed = "precondition-failed", PRECONDITION_FAILED, "The document has changed since it was read";
    /// Somebody wrote at the same time, and the write was given up.
    Conflict = "conflict", CONFLICT, "Somebody else wrote at the same time";
    /// The lock is held by somebody else.
    LockHeld = "lock-held", CONFLICT, "The lock is held by somebody else";
    /// The token is not the lock's present one.
    LockLost = "lock-lost", CONFLICT, "The lock is no longer held with this token";
    /// The version breaks the contract that others rely on, and the service refuses such.
    ContractBroken = "contract-broken", CONFLICT, "The new contract breaks its consumers";
    /// Values are to be sealed or opened, and the platform does not have the key.
    SealKeyMissing = "seal-key-missing", CONFLICT, "The key of a sealed value is missing";
    /// The list's snapshot is no longer kept.
    ContinueExpired = "continue-expired", GONE, "The list can no longer be continued";
    /// The body is larger than the call takes.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is of a type the call does not take.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body's type is not supported";
    /// A limit of this server is reached.
    TooManyRequests = "too-many-requests", TOO_MANY_REQUESTS, "A limit of the server is reached";
    /// This node does not run the role that the path needs.
    WrongNode = "wrong-node", MISDIRECTED_REQUEST, "This node does not run the role that answers this";
    /// The store refuses writes.
    ReadOnly = "read-only", SERVICE_UNAVAILABLE, "The store takes no writes at present";
    /// The server starts, stops, or waits for its first snapshot.
    NotReady = "not-ready", SERVICE_UNAVAILABLE, "The server is not ready";
    /// The index asked for was not reached in time.
    IndexNotReached = "index-not-reached", GATEWAY_TIMEOUT, "The index asked for was not reached in time";
    /// The call took longer than the server allows.
    Timeout = "timeout", GATEWAY_TIMEOUT, "The call took too long";
    /// A fault of the server's.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong inside the server";

    /// Gateway: no route matches the request.
    NoRoute = "no-route", NOT_FOUND, "No route matches the request";
    /// Gateway: the route's backend does not resolve to a service.
    NoBackend = "no-backend", INTERNAL_SERVER_ERROR, "The route has no backend that can be used";
    /// Gateway: the service has no instance to call.
    NoInstance = "no-instance", SERVICE_UNAVAILABLE, "The service has no healthy instance";
    /// Gateway: the instance could not be connected to.
    UpstreamUnreachable = "upstream-unreachable", BAD_GATEWAY, "The instance could not be reached";
    /// Gateway: the instance broke off or did not speak HTTP.
    UpstreamFailed = "upstream-failed", BAD_GATEWAY, "The instance broke off its answer";
    /// Gateway: the instance did not answer in time.
    UpstreamTimeout = "upstream-timeout", GATEWAY_TIMEOUT, "The instance did not answer in time";
    /// Gateway: a policy's rate limit is reached.
    RateLimited = "rate-limited", TOO_MANY_REQUESTS, "A rate limit is reached";
    /// Gateway: a policy's circuit breaker is open.
    CircuitOpen = "circuit-open", SERVICE_UNAVAILABLE, "The service's circuit breaker is open";
    /// Gateway: a policy's bulkhead or concurrency limit is full.
    Overloaded = "overloaded", SERVICE_UNAVAILABLE, "The service has as many requests as it may have";
    /// Gateway: the route's fault filter refused the request.
    FaultInjected = "fault-injected", SERVICE_UNAVAILABLE, "The route fails on purpose";
}

impl Code {
    /// The `type` of a problem with this code.
    pub fn page(self) -> String {
        format!("/docs/errors/{}", self.word())
    }

    /// The code that `word` stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.word() == word)
    }

    /// The code that stands for `status` when an answer gives none: a proxy between wrote it.
    pub fn of_status(status: StatusCode) -> Self {
        let of = |code: &&Code| code.status() == status;
        match status {
            StatusCode::NOT_FOUND => Self::UnknownPath,
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => Self::NotReady,
            StatusCode::GATEWAY_TIMEOUT => Self::Timeout,
            status if status.is_client_error() => Self::ALL
                .iter()
                .find(of)
                .copied()
                .unwrap_or(Self::BadRequest),
            _ => Self::Internal,
        }
    }

    /// Whether the same call may succeed when it is made again, without anything being changed.
    pub fn is_retryable(self) -> bool {
        use Code as C;
        matches!(
            self,
            C::Conflict
                | C::TooManyRequests
                | C::WrongNode
                | C::NotReady
                | C::IndexNotReached
                | C::Timeout
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl<'de> Deserialize<'de> for Code {
    /// A code that a newer server knows and this build does not is read as `internal`: the
    /// problem's status, title and detail still say what happened.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::parse(&word).unwrap_or(Self::Internal))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_page_and_every_page_a_code() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors");
        let pages = std::fs::read_dir(folder).unwrap().map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".md").unwrap_or(&name).to_owned()
        });
        let pages: BTreeSet<String> = pages.filter(|name| name != "README").collect();
        let codes: BTreeSet<String> = Code::ALL
            .iter()
            .map(|code| code.word().to_owned())
            .collect();
        assert_eq!(pages, codes);
        for code in Code::ALL {
            let page = std::fs::read_to_string(format!("{folder}/{code}.md")).unwrap();
            let head = format!(
                "# {}\n\n`{code}` · HTTP {}\n",
                code.title(),
                code.status().as_u16()
            );
            assert!(page.starts_with(&head), "{code}.md must open with {head:?}");
            for part in ["## What happened", "## Why", "## What to do next"] {
                assert!(page.contains(part), "{code}.md has no part {part:?}");
            }
        }
    }

    #[test]
    fn a_code_of_a_newer_server_is_read() {
        assert_eq!(
            serde_json::from_str::<Code>("\"lock-held\"").unwrap(),
            Code::LockHeld
        );
        assert_eq!(
            serde_json::from_str::<Code>("\"of-tomorrow\"").unwrap(),
            Code::Internal
        );
    }
}
