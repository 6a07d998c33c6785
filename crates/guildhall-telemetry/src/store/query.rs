//! Questions to a store: answered from the head and from blocks alike.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Store;
use super::head::Batch;
use super::held::Held;
use crate::otlp;
use crate::query::Search;
use crate::rows::{NO_PARENT, Rows, SpanId, TraceId};

/// OTLP's status of a span that failed.
const ERROR: u8 = 2;

/// A trace in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// When its first span began: nanoseconds since 1970.
    pub start: u64,
    /// When its last span ended.
    pub end: u64,
    /// How many spans.
    pub spans: u32,
    /// How many of them failed.
    pub errors: u32,
    /// The service of its root, or of its first span.
    pub service: String,
    /// The name of that span.
    pub name: String,
}

/// Where a page of a search ended: traces that come later are less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the matching parts of the last trace of the page began.
    pub start: u64,
    /// Its id.
    pub id: TraceId,
}

/// Some of the traces that a search finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The newest first.
    pub traces: Vec<Trace>,
    /// Where it goes on; `None` if there is no more.
    pub next: Option<Cursor>,
    /// How many blocks could not be read: what they have is missing.
    pub unreadable: u32,
}

/// A trace with its spans.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// All its spans, each once, by their start; none if the trace is not here.
    pub rows: Rows,
    /// How many blocks could not be read: what they have is missing.
    pub unreadable: u32,
}

impl Store {
    /// The trace of this id, however old it is.
    pub fn find(&self, id: &TraceId) -> Found {
        let (batches, blocks, mut unreadable) = self.everything();
        let mut parts: Vec<Rows> = Vec::new();
        for held in &blocks {
            let found = held.block.find(id).and_then(|summary| match summary {
                Some(summary) => held.block.spans(&summary.places).map(Some),
                None => Ok(None),
            });
            match found {
                Ok(found) => parts.extend(found),
                Err(error) => {
                    self.note(held, &error);
                    unreadable += 1;
                }
            }
        }
        let mut rows = Rows::default();
        let heads = batches.iter().map(|batch| &*batch.rows);
        for part in parts.iter().chain(heads) {
            let ours = (0..).zip(&part.trace_ids).filter(|(_, of)| *of == id);
            let ours: Vec<u32> = ours.map(|(row, _)| row).collect();
            if !ours.is_empty() {
                rows.append(part, &ours);
            }
        }
        // A client that was not answered in time sends the same spans again.
        let mut seen: HashSet<SpanId> = HashSet::new();
        let mut order: Vec<u32> = (0..rows.next())
            .filter(|row| seen.insert(rows.span_ids[*row as usize]))
            .collect();
        order.sort_by_key(|row| rows.starts[*row as usize]);
        let mut sorted = Rows::default();
        sorted.append(&rows, &order);
        Found {
            rows: sorted,
            unreadable,
        }
    }

    /// Traces that `search` finds, at most `limit` and only those after the cursor. The newest come first: those whose
    /// matching parts began last, a part being what one block, or one request in memory, has of a trace. Pages do not
    /// change under whoever reads them, but for spans that come later and are older.
    pub fn search(&self, search: &Search, limit: usize, after: Option<Cursor>) -> Page {
        let (batches, blocks, unreadable) = self.everything();
        let mut page = Page {
            unreadable,
            ..Page::default()
        };
        // All that match, wherever their parts are: only so is a trace of several parts at one place, on one page.
        let mut candidates: HashMap<TraceId, u64> = HashMap::new();
        let mut add = |id: TraceId, start: u64| {
            let known = candidates.entry(id).or_insert(start);
            *known = start.min(*known);
        };
        for batch in &batches {
            let rows = &batch.rows;
            for row in 0..rows.next() {
                if search.finds(rows, row) {
                    add(rows.trace_ids[row as usize], rows.starts[row as usize]);
                }
            }
        }
        for held in &blocks {
            let found = held.block.search(search);
            match found.and_then(|numbers| held.block.starts(&numbers)) {
                Ok(found) => found.into_iter().for_each(|(id, start)| add(id, start)),
                Err(error) => {
                    self.note(held, &error);
                    page.unreadable += 1;
                }
            }
        }
        let mut order: Vec<Cursor> = candidates
            .into_iter()
            .map(|(id, start)| Cursor { start, id })
            .filter(|cursor| after.is_none_or(|after| *cursor < after))
            .collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        if order.len() > limit {
            order.truncate(limit);
            page.next = order.last().copied();
        }
        page.traces = order
            .iter()
            .map(|cursor| whole(&cursor.id, &batches, &blocks))
            .collect();
        page
    }

    /// What is in memory, what is on disk, and how many blocks are not to be had, at one point in time.
    fn everything(&self) -> (Vec<Batch>, Vec<Arc<Held>>, u32) {
        let state = self.shared.lock();
        let batches = state.head.batches().to_vec();
        (batches, state.blocks.clone(), state.unopened)
    }

    fn note(&self, held: &Held, error: &crate::block::ReadError) {
        if held.note(error) {
            self.shared.lock().quarantined += 1;
        }
    }
}

/// A trace in short, from all its parts.
fn whole(id: &TraceId, batches: &[Batch], blocks: &[Arc<Held>]) -> Trace {
    let mut trace = Trace {
        id: *id,
        start: u64::MAX,
        ..Trace::default()
    };
    // The part with the root says the names, or else the part that began first.
    let mut best: Option<(bool, u64)> = None;
    let mut add = |part: &Trace, has_root: bool| {
        let rank = (!has_root, part.start);
        if best.is_none_or(|best| rank < best) {
            best = Some(rank);
            trace.service.clone_from(&part.service);
            trace.name.clone_from(&part.name);
        }
        trace.start = trace.start.min(part.start);
        trace.end = trace.end.max(part.end);
        trace.spans += part.spans;
        trace.errors += part.errors;
    };
    for held in blocks {
        if let Ok(Some(part)) = held.block.find(id) {
            let end = part.start.saturating_add(part.duration);
            let part_of = Trace {
                id: *id,
                start: part.start,
                end,
                spans: part.spans,
                errors: part.errors,
                service: part.service,
                name: part.name,
            };
            add(&part_of, part.has_root);
        }
    }
    for batch in batches {
        let rows = &batch.rows;
        for row in 0..rows.len() {
            if rows.trace_ids[row] != *id {
                continue;
            }
            let start = rows.starts[row];
            let text = |bytes: Option<&[u8]>| {
                String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
            };
            let resource = rows.resources.get(rows.resource[row]).unwrap_or_default();
            let span = Trace {
                id: *id,
                start,
                end: start.saturating_add(rows.durations[row]),
                spans: 1,
                errors: u32::from(rows.statuses[row] == ERROR),
                service: otlp::service(resource).to_owned(),
                name: text(rows.names.get(rows.name[row])),
            };
            add(&span, rows.parents[row] == NO_PARENT);
        }
    }
    trace
}
