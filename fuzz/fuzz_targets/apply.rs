//! What `guildhall apply` and the API take: files of documents in YAML and JSON, and queries. What is read can be sent, and is
//! read as the same documents then.
//!
//! The server's sources are compiled into the target: the whole server would take minutes more.
#![no_main]

// The sources name the crate of the wire types.
extern crate self as guildhall_api;

#[allow(dead_code, unused_imports, reason = "the server uses more of it")]
#[rustfmt::skip]
#[path = "../../crates/guildhall-api/src/wire/mod.rs"]
pub mod wire;

#[path = "."]
mod cli {
    use std::fmt::Display;

    #[allow(dead_code, reason = "the command line uses more of it")]
    #[rustfmt::skip]
    #[path = "../../crates/guildhall-server/src/cli/manifest.rs"]
    mod manifest;

    use guildhall_core::document::{Document, Namespace};

    pub(crate) enum Exit {
        Failure,
        Usage,
        Invalid,
    }

    /// What the command line says, without its colours.
    pub(crate) struct Failure(String);

    impl Failure {
        pub(crate) fn new(_: Exit, what: impl Into<String>) -> Self {
            Self(what.into())
        }

        pub(crate) fn why(self, why: impl Display) -> Self {
            Self(format!("{}: {why}", self.0))
        }
    }

    /// The documents of a text, and each as it is sent.
    pub(crate) fn documents(text: &str) -> Option<Vec<(Vec<Document>, String)>> {
        let mut manifests = Vec::new();
        match manifest::parse(text, "input", &Namespace::default(), &mut manifests) {
            Ok(()) => Some(
                manifests
                    .into_iter()
                    .map(|manifest| {
                        assert_eq!(
                            manifest.documents.first().map(Document::key),
                            Some(manifest.key)
                        );
                        (manifest.documents, manifest.json)
                    })
                    .collect(),
            ),
            Err(failure) => {
                assert!(!failure.0.is_empty());
                None
            }
        }
    }
}

#[path = "."]
mod http {
    #[allow(dead_code, reason = "the server uses more of it")]
    #[rustfmt::skip]
    #[path = "../../crates/guildhall-server/src/http/query.rs"]
    pub(crate) mod query;
    #[allow(dead_code, reason = "the server uses more of it")]
    #[rustfmt::skip]
    #[path = "../../crates/guildhall-server/src/http/split.rs"]
    pub(crate) mod split;

    /// What a client is told.
    pub(crate) mod problem {
        use guildhall_core::document::Problems;

        use crate::wire::{Code, Problem};

        pub(crate) type Refusal = Box<Problem>;

        pub(crate) fn refuse(code: Code, detail: impl Into<String>) -> Refusal {
            Box::new(Problem::new(code, detail))
        }

        pub(crate) fn invalid(problems: Problems) -> Refusal {
            Box::new(Problem::invalid(problems))
        }
    }
}

use ::http::Uri;
use libfuzzer_sys::fuzz_target;

const KNOWN: [&str; 4] = ["healthy", "tag", "metadata.", "labelSelector"];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    check_query(text);
    for (documents, json) in cli::documents(text).unwrap_or_default() {
        for document in &documents {
            assert!(document.validate().is_ok(), "{document:?}");
        }
        let again = cli::documents(&json).unwrap_or_else(|| panic!("cannot be sent: {json}"));
        let [(again, same)] = again.as_slice() else {
            panic!("{json} became {} documents", again.len());
        };
        assert_eq!(same, &json);
        assert_eq!(again.len(), documents.len());
        for (again, document) in again.iter().zip(&documents) {
            assert!(again.same_intent(document), "{again:?}\n{document:?}");
        }
    }
});

/// What is read of a query writes back as a query that is read the same, and that a target may have.
fn check_query(text: &str) {
    let Ok(query) = http::query::Query::parse(Some(text), &KNOWN) else {
        return;
    };
    let mut written = wire::path::QueryString::default();
    for (key, value) in query.pairs() {
        written.add(key, value);
    }
    let written = written.to_string();
    let again = http::query::Query::parse(written.strip_prefix('?'), &KNOWN);
    let again = again.unwrap_or_else(|refusal| panic!("{written}: {:?}", refusal.detail));
    assert!(again.pairs().eq(query.pairs()), "{written}");
    assert!(written.len() > 60_000 || format!("/{written}").parse::<Uri>().is_ok());
}
