//! JSON Schema, compared in the direction in which it is used.
//!
//! A schema is first brought into a form that two of them can be compared in: a list of
//! alternatives (`flat`), each a plain `shape` of one type. Then every alternative of one
//! side must find one on the other side that covers it (`compare`), by the rules for what is
//! taken in (`input`) or given out (`output`).
//!
//! The dialects of OpenAPI 3.0 (`nullable`, boolean `exclusiveMinimum`), OpenAPI 3.1 and JSON
//! Schema from draft 4 on are read as one: where they differ they do not contradict.

mod bounds;
mod compare;
mod flat;
mod input;
mod output;
mod shape;
mod types;

pub(super) use compare::Comparison;

/// Which way the values of a schema go, seen from the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Consumers send them: less may be asked of them, never more.
    Input,
    /// Consumers receive them: no less may be promised.
    Output,
    /// Either may happen.
    Both,
}
