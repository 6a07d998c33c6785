//! The pages of `docs/errors`, so that every server explains its own errors.

use guildhall_api::wire::Code;

macro_rules! pages {
    ($($word:literal,)*) => {
        [$(($word, include_str!(concat!("../../../../docs/errors/", $word, ".md")))),*]
    };
}

const PAGES: &[(&str, &str)] = &pages![
    "approval-required",
    "bad-request",
    "body-too-large",
    "circuit-open",
    "conflict",
    "continue-expired",
    "contract-broken",
    "fault-injected",
    "forbidden",
    "index-not-reached",
    "internal",
    "invalid-document",
    "lock-held",
    "lock-lost",
    "method-not-allowed",
    "no-backend",
    "no-instance",
    "no-route",
    "not-found",
    "not-ready",
    "overloaded",
    "precondition-failed",
    "rate-limited",
    "read-only",
    "seal-key-missing",
    "timeout",
    "too-many-requests",
    "unauthenticated",
    "unknown-path",
    "unsupported-media-type",
    "upstream-failed",
    "upstream-timeout",
    "upstream-unreachable",
    "wrong-node",
];

/// What `code` means and what to do about it, as Markdown.
pub(crate) fn of(code: Code) -> &'static str {
    PAGES
        .iter()
        .find(|(word, _)| *word == code.word())
        .map_or("", |(_, page)| page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained() {
        for code in Code::ALL {
            assert!(
                of(*code).starts_with(&format!("# {}", code.title())),
                "{code}"
            );
        }
    }
}
