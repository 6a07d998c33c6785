//! In which order a block has its spans, and its traces.

use std::collections::HashMap;

use crate::otlp;
use crate::rows::{Rows, TraceId};

/// The order of a block's spans and traces.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    /// The rows, by service, name and start.
    pub(super) rows: Vec<u32>,
    /// Of each row, in its own order: the number of its trace.
    pub(super) trace_of: Vec<u32>,
    /// The traces' ids, in the order of their first spans.
    pub(super) traces: Vec<TraceId>,
}

impl Order {
    pub(super) fn of(rows: &Rows) -> Self {
        let count = rows.next();
        let mut by_start: Vec<u32> = (0..count).collect();
        by_start.sort_unstable_by_key(|row| rows.starts[*row as usize]);
        let mut order = Self {
            rows: Vec::new(),
            trace_of: vec![0; count as usize],
            traces: Vec::new(),
        };
        let mut known: HashMap<TraceId, u32> = HashMap::new();
        for &row in &by_start {
            let id = rows.trace_ids[row as usize];
            let number = *known.entry(id).or_insert_with(|| {
                order.traces.push(id);
                u32::try_from(order.traces.len() - 1).unwrap_or(u32::MAX)
            });
            order.trace_of[row as usize] = number;
        }
        // The place of each (service, name) among all.
        let services: Vec<&str> = rows.resources.iter().map(otlp::service).collect();
        let names: Vec<&[u8]> = rows.names.iter().collect();
        let mut operations: HashMap<(u32, u32), u32> = HashMap::new();
        for row in 0..count as usize {
            let next = operations.len();
            let key = (rows.resource[row], rows.name[row]);
            operations.entry(key).or_insert(next as u32);
        }
        let mut sorted: Vec<(u32, u32)> = operations.keys().copied().collect();
        let word =
            |(resource, name): &(u32, u32)| (services[*resource as usize], names[*name as usize]);
        sorted.sort_unstable_by(|a, b| word(a).cmp(&word(b)));
        let mut rank = 0;
        let mut before: Option<(u32, u32)> = None;
        for operation in sorted {
            if before.is_some_and(|before| word(&before) != word(&operation)) {
                rank += 1;
            }
            before = Some(operation);
            operations.insert(operation, rank);
        }
        // A counting sort keeps the order of the starts within each operation.
        let rank_of = |row: u32| {
            let row = row as usize;
            operations[&(rows.resource[row], rows.name[row])] as usize
        };
        let ranks: Vec<usize> = by_start.iter().map(|row| rank_of(*row)).collect();
        let mut next = vec![0_usize; rank as usize + 2];
        for rank in &ranks {
            next[rank + 1] += 1;
        }
        for at in 1..next.len() {
            next[at] += next[at - 1];
        }
        order.rows = vec![0; count as usize];
        for (row, rank) in by_start.iter().zip(ranks) {
            order.rows[next[rank]] = *row;
            next[rank] += 1;
        }
        order
    }
}
