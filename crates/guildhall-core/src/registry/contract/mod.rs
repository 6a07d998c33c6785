//! Whether a new contract keeps what its consumers rely on.
//!
//! `compare` lists what breaks from one contract to another. What a service takes in may only
//! be widened, what it gives out may only be narrowed: a schema is compared in the direction in
//! which it is used. The rules err on the side of telling: what cannot be compared is said, not
//! passed over.
//!
//! - `change`: what can break.
//! - `document`: references inside a contract.
//! - `schema`: JSON Schema (and OpenAPI's dialects of it) in either direction.
//! - `openapi`: operations, parameters, bodies, responses.
//! - `verdict`: what the service's policy makes of it, and who is concerned.

mod change;
mod document;
mod openapi;
mod schema;
mod verdict;

pub use change::{BreakingChange, ChangeKind, MAX_CHANGES};
pub use schema::Direction;
pub use verdict::{Refused, VersionStatus, consumers, review, verdict};

use super::{Contract, ContractFormat};
use crate::document::{Pointer, Problems};
use change::Report;

/// What breaks for a consumer of `old` when it meets `new`; empty if nothing does.
///
/// A JSON Schema is taken to describe messages that go both ways; where it is known to be one,
/// use [`compare_schemas`].
pub fn compare(old: &Contract, new: &Contract) -> Vec<BreakingChange> {
    if old.format != new.format {
        let detail = format!("was {}, is now {}", old.format.word(), new.format.word());
        return vec![BreakingChange {
            kind: ChangeKind::FormatChanged,
            at: String::new(),
            detail,
        }];
    }
    match new.format {
        ContractFormat::OpenApi => {
            let mut report = Report::default();
            openapi::compare(&old.document, &new.document, &mut report);
            report.finish()
        }
        ContractFormat::JsonSchema => {
            compare_schemas(&old.document, &new.document, Direction::Both)
        }
    }
}

/// What breaks from the JSON Schema `old` to `new`, used in `direction`.
pub fn compare_schemas(
    old: &serde_json::Value,
    new: &serde_json::Value,
    direction: Direction,
) -> Vec<BreakingChange> {
    let mut report = Report::default();
    schema::Comparison::new(old, new).compare(old, new, direction, "", &mut report);
    report.finish()
}

/// Notes what makes `contract` no contract of its format.
pub(super) fn validate(contract: &Contract, at: &Pointer<'_>, problems: &mut Problems) {
    let document = &contract.document;
    let at = at.field("document");
    match contract.format {
        ContractFormat::OpenApi => {
            let version = document
                .get("openapi")
                .and_then(|version| version.as_str())
                .unwrap_or_default();
            let known = version.starts_with("3.0") || version.starts_with("3.1");
            problems.check(
                known,
                at.field("openapi"),
                "an OpenAPI document of version 3.0 or 3.1 is needed",
            );
            let paths = document.get("paths").is_none_or(|paths| paths.is_object());
            problems.check(
                paths,
                at.field("paths"),
                "an object with one entry per path",
            );
        }
        ContractFormat::JsonSchema => {
            let schema = document.is_object() || document.is_boolean();
            problems.check(schema, at, "a JSON Schema is an object or a boolean");
        }
    }
}
