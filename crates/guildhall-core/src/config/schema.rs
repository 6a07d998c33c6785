//! JSON Schemas, and what of a content does not fit one.
//!
//! The draft is the one that `$schema` names, 2020-12 if it names none. References lead within the schema only: nothing is
//! fetched. Patterns take linear time; those that look around or refer back are refused.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use super::Parsed;

/// The most violations that are told of a content.
pub const MAX_VIOLATIONS: usize = 20;

/// A schema that content is checked against.
#[derive(Debug)]
pub struct Schema(Validator);

/// What of a content does not fit its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The value, as a JSON Pointer.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
    /// Where in the schema that is said, as a JSON Pointer.
    pub rule: String,
}

/// A content that is no schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Its format has no values.
    #[error("a JSON Schema is written as json or yaml, this is {0}")]
    Format(&'static str),
    /// It breaks the rules of its draft, or refers to what is not in it.
    #[error("not a JSON Schema: {detail}{}", at(pointer))]
    Malformed {
        /// Where in the schema, as a JSON Pointer.
        pointer: String,
        /// What is wrong.
        detail: String,
    },
}

fn at(pointer: &str) -> String {
    match pointer {
        "" => String::new(),
        pointer => format!(" (at {pointer})"),
    }
}

impl Schema {
    /// Reads a content as a schema.
    ///
    /// # Errors
    /// It is none, or refers to others: those are never fetched.
    pub fn compile(content: &Parsed) -> Result<Self, SchemaError> {
        let schema = content.value();
        let schema = schema.ok_or_else(|| SchemaError::Format(content.format().name()))?;
        jsonschema::options()
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .build(&schema)
            .map(Self)
            .map_err(|error| SchemaError::Malformed {
                pointer: error.instance_path().to_string(),
                detail: error.to_string(),
            })
    }

    /// What of `value` does not fit, the first [`MAX_VIOLATIONS`] of it. With `hides` no value is repeated.
    pub fn violations(&self, value: &Value, hides: bool) -> Vec<Violation> {
        let errors = self.0.iter_errors(value).take(MAX_VIOLATIONS);
        let violations = errors.map(|error| Violation {
            pointer: error.instance_path().to_string(),
            detail: match hides {
                true => error.masked().to_string(),
                false => error.to_string(),
            },
            rule: error.schema_path().to_string(),
        });
        violations.collect()
    }
}
