//! The traces of a block: a summary of each, where its spans are, and the way from an id to it.

use std::io::Write;
use std::sync::Arc;

use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::writer::SerializedFileWriter;

use super::order::Order;
use super::schema;
use super::write::{WriteError, put};
use crate::otlp;
use crate::rows::{NO_PARENT, Rows};

/// Traces that are read or skipped together.
const ROW_GROUP: usize = 1 << 16;
/// OTLP's status of a span that failed.
const ERROR: u8 = 2;

/// Where an entry of the index has the beginning of an id, and then the trace's number.
pub(super) const INDEX_ENTRY: usize = 12;

#[derive(Clone, Default)]
struct Summary {
    start: u64,
    end: u64,
    spans: i32,
    errors: i32,
    /// The root, or else the first span.
    first: Option<u32>,
    is_root: bool,
    places: Vec<u32>,
}

/// Writes `traces.parquet`.
pub(super) fn write_traces<W: Write + Send>(
    rows: &Rows,
    order: &Order,
    out: W,
) -> Result<W, WriteError> {
    let mut summaries = vec![Summary::default(); order.traces.len()];
    for (place, &row) in (0_u32..).zip(&order.rows) {
        let at = row as usize;
        let Some(summary) = summaries.get_mut(order.trace_of[at] as usize) else {
            continue;
        };
        let (start, end) = (
            rows.starts[at],
            rows.starts[at].saturating_add(rows.durations[at]),
        );
        let is_first = summary.spans == 0;
        let is_root = rows.parents[at] == NO_PARENT;
        let is_better = (is_root && !summary.is_root)
            || (is_root == summary.is_root
                && start < summary.first.map_or(0, |row| rows.starts[row as usize]));
        if is_first || is_better {
            (summary.first, summary.is_root) = (Some(row), is_root);
        }
        summary.start = if is_first {
            start
        } else {
            summary.start.min(start)
        };
        summary.end = summary.end.max(end);
        summary.spans += 1;
        summary.errors += i32::from(rows.statuses[at] == ERROR);
        summary.places.push(place);
    }
    let properties = Arc::new(schema::trace_properties()?);
    let mut file = SerializedFileWriter::new(out, schema::traces()?, properties)?;
    let chunks = summaries
        .chunks(ROW_GROUP)
        .zip(order.traces.chunks(ROW_GROUP));
    for (summaries, ids) in chunks {
        let mut group = file.next_row_group()?;
        let ids: Vec<_> = ids
            .iter()
            .map(|id| ByteArray::from(id.to_vec()).into())
            .collect();
        put(&mut group, |column| {
            column
                .typed::<FixedLenByteArrayType>()
                .write_batch(&ids, None, None)
        })?;
        let longs = |of: &dyn Fn(&Summary) -> u64| -> Vec<i64> {
            summaries.iter().map(|one| of(one).cast_signed()).collect()
        };
        for values in [longs(&|one| one.start), longs(&|one| one.end - one.start)] {
            put(&mut group, |column| {
                column.typed::<Int64Type>().write_batch(&values, None, None)
            })?;
        }
        for of in [|one: &Summary| one.spans, |one: &Summary| one.errors] {
            let values: Vec<i32> = summaries.iter().map(of).collect();
            put(&mut group, |column| {
                column.typed::<Int32Type>().write_batch(&values, None, None)
            })?;
        }
        let roots: Vec<bool> = summaries.iter().map(|one| one.is_root).collect();
        put(&mut group, |column| {
            column.typed::<BoolType>().write_batch(&roots, None, None)
        })?;
        let service = |row: usize| {
            rows.resources
                .get(rows.resource[row])
                .map_or(&b""[..], |resource| otlp::service(resource).as_bytes())
        };
        let name = |row: usize| rows.names.get(rows.name[row]).unwrap_or_default();
        for of in [&service as &dyn Fn(usize) -> _, &name] {
            let words = summaries.iter().map(|one| {
                let word: &[u8] = one.first.map_or(b"", |row| of(row as usize));
                ByteArray::from(word.to_vec())
            });
            let words: Vec<ByteArray> = words.collect();
            put(&mut group, |column| {
                column
                    .typed::<ByteArrayType>()
                    .write_batch(&words, None, None)
            })?;
        }
        let places = summaries
            .iter()
            .map(|one| encode_places(&one.places).into());
        let places: Vec<ByteArray> = places.collect();
        put(&mut group, |column| {
            column
                .typed::<ByteArrayType>()
                .write_batch(&places, None, None)
        })?;
        group.close()?;
    }
    Ok(file.into_inner()?)
}

/// Writes the index: by the first eight bytes of their ids, the numbers of the traces.
pub(super) fn write_index<W: Write>(order: &Order, mut out: W) -> Result<W, WriteError> {
    let mut entries: Vec<([u8; 8], u32)> = order
        .traces
        .iter()
        .zip(0..)
        .filter_map(|(id, number)| Some((*id.first_chunk()?, number)))
        .collect();
    entries.sort_unstable();
    for (id, number) in entries {
        out.write_all(&id)?;
        out.write_all(&number.to_be_bytes())?;
    }
    Ok(out)
}

/// Ascending numbers, each as what it is more than the one before, seven bits to a byte.
fn encode_places(places: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(3 * places.len());
    let mut before = 0;
    for place in places {
        let mut more = place - before;
        before = *place;
        while more >= 0x80 {
            bytes.push(more as u8 | 0x80);
            more >>= 7;
        }
        bytes.push(more as u8);
    }
    bytes
}

/// What [`encode_places`] wrote; `None` of anything else.
pub(super) fn decode_places(bytes: &[u8]) -> Option<Vec<u32>> {
    let (mut places, mut before, mut more, mut shift) = (Vec::new(), 0_u32, 0_u32, 0);
    for byte in bytes {
        more |= u32::from(byte & 0x7f).checked_shl(shift)?;
        match byte & 0x80 {
            0 => {
                before = before.checked_add(more)?;
                places.push(before);
                (more, shift) = (0, 0);
            }
            _ => shift += 7,
        }
    }
    (shift == 0).then_some(places)
}
