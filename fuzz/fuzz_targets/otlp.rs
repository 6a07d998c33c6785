//! Spans as OpenTelemetry's clients send them: any bytes are rows or an error, what is refused leaves nothing behind, and rows
//! that are copied say the same.
//!
//! The sources are compiled into the target: the whole crate would bring a file format and its compression.
#![no_main]

#[allow(dead_code, unreachable_pub, unused_imports, reason = "the crate uses more of it")]
#[rustfmt::skip]
#[path = "../../crates/guildhall-telemetry/src/otlp/mod.rs"]
mod otlp;
#[allow(dead_code, unreachable_pub, unused_imports, reason = "the crate uses more of it")]
#[rustfmt::skip]
#[path = "../../crates/guildhall-telemetry/src/rows/mod.rs"]
mod rows;

use libfuzzer_sys::fuzz_target;
use rows::Rows;

fuzz_target!(|data: &[u8]| {
    let (rows, rejected) = match otlp::traces(data) {
        Ok(read) => read,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(rejected.spans == 0, rejected.why.is_none());
    check(&rows);
    let count = rows.len() as u32;
    let mut copy = Rows::default();
    let backwards: Vec<u32> = (0..count).rev().collect();
    copy.append(&rows, &backwards);
    check(&copy);
    for (at, row) in backwards.iter().enumerate() {
        assert_eq!(said(&copy, at as u32), said(&rows, *row), "row {row}");
    }
});

/// Every column has one value for a row at most, in the order of the rows.
fn check(rows: &Rows) {
    let count = rows.len();
    let dense = [
        rows.span_ids.len(),
        rows.parents.len(),
        rows.starts.len(),
        rows.durations.len(),
        rows.kinds.len(),
        rows.statuses.len(),
        rows.flags.len(),
        rows.name.len(),
        rows.resource.len(),
        rows.scope.len(),
    ];
    assert!(dense.iter().all(|length| *length == count));
    let ordered = |numbers: &[u32]| {
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        assert!(numbers.last().is_none_or(|last| (*last as usize) < count));
    };
    for texts in [&rows.messages, &rows.trace_states, &rows.details] {
        ordered(&texts.rows);
    }
    for column in rows.attributes.columns() {
        ordered(column.rows());
    }
    for row in 0..count {
        assert!(rows.trace_ids[row] != [0; 16] && rows.span_ids[row] != [0; 8]);
        assert!(rows.names.get(rows.name[row]).is_some());
        let resource = rows.resources.get(rows.resource[row]);
        let resource = resource.expect("a row has a resource");
        assert!(!otlp::service(resource).is_empty());
        assert!(rows.scopes.get(rows.scope[row]).is_some());
    }
}

/// All that a row says.
fn said(rows: &Rows, row: u32) -> String {
    let at = row as usize;
    let mut attributes: Vec<String> = rows
        .attributes
        .of(row)
        .map(|pair| format!("{pair:?}"))
        .collect();
    attributes.sort();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {attributes:?}",
        rows.fixed(row),
        rows.names.get(rows.name[at]),
        rows.resources.get(rows.resource[at]),
        rows.scopes.get(rows.scope[at]),
        rows.messages.get(row),
        rows.trace_states.get(row),
        rows.details.get(row),
    )
}
