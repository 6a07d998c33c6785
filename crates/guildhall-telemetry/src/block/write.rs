//! Writing rows as Parquet.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
    Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::ColumnPath;

use super::order::Order;
use super::{schema, tables};
use crate::otlp;
use crate::rows::{NO_PARENT, Rows, Texts, Values};

/// Rows that are read or skipped together.
const ROW_GROUP: usize = 1 << 16;
/// How many texts of a column are looked at to tell whether most differ.
const SAMPLE: usize = 2048;

/// Why a block was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file cannot be written as Parquet.
    #[error("a block of spans cannot be written: {0}")]
    Parquet(#[from] ParquetError),
    /// A file cannot be written.
    #[error("a block of spans cannot be written: {0}")]
    Io(#[from] std::io::Error),
    /// What it says of itself cannot be written.
    #[error("a block of spans cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes rows as `spans.parquet`.
///
/// # Errors
/// [`WriteError`].
pub(super) fn write_spans<W: Write + Send>(
    rows: &Rows,
    order: &Order,
    out: W,
) -> Result<W, WriteError> {
    let columns = rows.attributes.columns();
    let mut distinct = Vec::new();
    for column in columns {
        if let Values::Text(texts) = &column.values
            && mostly_differ(texts)
        {
            let name = schema::attribute_name(&column.key, column.kind());
            let path = ColumnPath::new(vec![name]);
            distinct.push((path, texts.len().min(ROW_GROUP) as u64));
        }
    }
    let properties = Arc::new(schema::properties(&distinct)?);
    let mut file = SerializedFileWriter::new(out, schema::spans(columns)?, properties)?;
    for (key, table) in [("resources", &rows.resources), ("scopes", &rows.scopes)] {
        file.append_key_value_metadata(tables::encode(key, table));
    }
    let texts = [
        &rows.messages,
        &rows.trace_states,
        &rows.details,
        rows.attributes.rest(),
    ];
    let texts: Vec<Lookup<'_>> = texts
        .into_iter()
        .map(|texts| Lookup::of(texts, rows.len()))
        .collect();
    let attributes: Vec<Slots<'_>> = columns
        .iter()
        .map(|column| match &column.values {
            Values::Text(texts) | Values::Other(texts) => {
                Slots::Texts(Lookup::of(texts, rows.len()))
            }
            Values::Int(values) => Slots::Ints(slots(&values.rows, rows.len()), &values.values),
            Values::Double(values) => {
                Slots::Doubles(slots(&values.rows, rows.len()), &values.values)
            }
            Values::Bool(values) => Slots::Bools(slots(&values.rows, rows.len()), &values.values),
        })
        .collect();
    let words = Words::of(rows);
    for chunk in order.rows.chunks(ROW_GROUP) {
        let mut group = file.next_row_group()?;
        dense_columns(&mut group, (rows, &words), order, chunk)?;
        for lookup in &texts {
            write_texts(&mut group, lookup, chunk)?;
        }
        for slots in &attributes {
            match slots {
                Slots::Texts(lookup) => write_texts(&mut group, lookup, chunk)?,
                Slots::Ints(slots, values) => {
                    let (values, levels) = gathered(slots, values, chunk);
                    put(&mut group, |column| {
                        column
                            .typed::<Int64Type>()
                            .write_batch(&values, Some(&levels), None)
                    })?;
                }
                Slots::Doubles(slots, values) => {
                    let (values, levels) = gathered(slots, values, chunk);
                    put(&mut group, |column| {
                        column
                            .typed::<DoubleType>()
                            .write_batch(&values, Some(&levels), None)
                    })?;
                }
                Slots::Bools(slots, values) => {
                    let (values, levels) = gathered(slots, values, chunk);
                    put(&mut group, |column| {
                        column
                            .typed::<BoolType>()
                            .write_batch(&values, Some(&levels), None)
                    })?;
                }
            }
        }
        group.close()?;
    }
    Ok(file.into_inner()?)
}

/// Where each row's value is in a column; [`NONE`] of a row without.
type Places = Vec<u32>;

const NONE: u32 = u32::MAX;

fn slots(of: &[u32], count: usize) -> Places {
    let mut slots = vec![NONE; count];
    for (row, at) in of.iter().zip(0..) {
        if let Some(slot) = slots.get_mut(*row as usize) {
            *slot = at;
        }
    }
    slots
}

enum Slots<'a> {
    Texts(Lookup<'a>),
    Ints(Places, &'a [i64]),
    Doubles(Places, &'a [f64]),
    Bools(Places, &'a [bool]),
}

/// Texts by row, in memory that is shared with what is written.
struct Lookup<'a> {
    texts: &'a Texts,
    shared: Bytes,
    places: Places,
}

impl<'a> Lookup<'a> {
    fn of(texts: &'a Texts, count: usize) -> Self {
        Self {
            texts,
            shared: Bytes::copy_from_slice(texts.all()),
            places: slots(&texts.rows, count),
        }
    }
}

pub(super) fn put(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    write: impl FnOnce(
        &mut parquet::file::writer::SerializedColumnWriter<'_>,
    ) -> Result<usize, ParquetError>,
) -> Result<(), WriteError> {
    if let Some(mut column) = group.next_column()? {
        write(&mut column)?;
        column.close()?;
    }
    Ok(())
}

/// Words that come again and again, in memory that is shared with what is written.
struct Words {
    /// By resource.
    services: Vec<ByteArray>,
    names: Vec<ByteArray>,
}

impl Words {
    fn of(rows: &Rows) -> Self {
        let services = rows.resources.iter().map(otlp::service);
        Self {
            services: services.map(ByteArray::from).collect(),
            names: rows.names.iter().map(|name| name.to_vec().into()).collect(),
        }
    }
}

fn dense_columns(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    (rows, words): (&Rows, &Words),
    order: &Order,
    chunk: &[u32],
) -> Result<(), WriteError> {
    let ints = |values: &mut dyn Iterator<Item = u32>| -> Vec<i32> {
        values.map(u32::cast_signed).collect()
    };
    let at = |row: &u32| *row as usize;
    let trace = ints(&mut chunk.iter().map(|row| order.trace_of[at(row)]));
    put(group, |column| {
        column.typed::<Int32Type>().write_batch(&trace, None, None)
    })?;
    let shared = Bytes::from(
        chunk
            .iter()
            .flat_map(|row| rows.span_ids[at(row)])
            .collect::<Vec<u8>>(),
    );
    let ids: Vec<FixedLenByteArray> = (0..chunk.len())
        .map(|at| ByteArray::from(shared.slice(8 * at..8 * at + 8)).into())
        .collect();
    put(group, |column| {
        column
            .typed::<FixedLenByteArrayType>()
            .write_batch(&ids, None, None)
    })?;
    let shared = Bytes::from(
        chunk
            .iter()
            .flat_map(|row| rows.parents[at(row)])
            .collect::<Vec<u8>>(),
    );
    let levels: Vec<i16> = chunk
        .iter()
        .map(|row| i16::from(rows.parents[at(row)] != NO_PARENT))
        .collect();
    let ids: Vec<FixedLenByteArray> = (0..chunk.len())
        .filter(|at| levels[*at] == 1)
        .map(|at| ByteArray::from(shared.slice(8 * at..8 * at + 8)).into())
        .collect();
    put(group, |column| {
        column
            .typed::<FixedLenByteArrayType>()
            .write_batch(&ids, Some(&levels), None)
    })?;
    for times in [&rows.starts, &rows.durations] {
        let times: Vec<i64> = chunk
            .iter()
            .map(|row| times[at(row)].cast_signed())
            .collect();
        put(group, |column| {
            column.typed::<Int64Type>().write_batch(&times, None, None)
        })?;
    }
    for bytes in [&rows.kinds, &rows.statuses] {
        let values = ints(&mut chunk.iter().map(|row| u32::from(bytes[at(row)])));
        put(group, |column| {
            column.typed::<Int32Type>().write_batch(&values, None, None)
        })?;
    }
    let flags = ints(&mut chunk.iter().map(|row| rows.flags[at(row)]));
    put(group, |column| {
        column.typed::<Int32Type>().write_batch(&flags, None, None)
    })?;
    for (words, numbers) in [
        (&words.services, &rows.resource),
        (&words.names, &rows.name),
    ] {
        let values: Vec<ByteArray> = chunk
            .iter()
            .map(|row| words[numbers[at(row)] as usize].clone())
            .collect();
        put(group, |column| {
            column
                .typed::<ByteArrayType>()
                .write_batch(&values, None, None)
        })?;
    }
    for numbers in [&rows.resource, &rows.scope] {
        let values = ints(&mut chunk.iter().map(|row| numbers[at(row)]));
        put(group, |column| {
            column.typed::<Int32Type>().write_batch(&values, None, None)
        })?;
    }
    Ok(())
}

fn write_texts(
    group: &mut SerializedRowGroupWriter<'_, impl Write + Send>,
    lookup: &Lookup<'_>,
    chunk: &[u32],
) -> Result<(), WriteError> {
    let mut levels = Vec::with_capacity(chunk.len());
    let mut values: Vec<ByteArray> = Vec::with_capacity(chunk.len());
    for row in chunk {
        match lookup.places[*row as usize] {
            NONE => levels.push(0),
            place => {
                levels.push(1_i16);
                let range = lookup.texts.range(place as usize);
                values.push(lookup.shared.slice(range).into());
            }
        }
    }
    put(group, |column| {
        column
            .typed::<ByteArrayType>()
            .write_batch(&values, Some(&levels), None)
    })
}

fn gathered<T: Copy>(slots: &Places, values: &[T], chunk: &[u32]) -> (Vec<T>, Vec<i16>) {
    let mut levels = Vec::with_capacity(chunk.len());
    let mut found = Vec::with_capacity(chunk.len());
    for row in chunk {
        match slots[*row as usize] {
            NONE => levels.push(0),
            slot => {
                levels.push(1);
                found.push(values[slot as usize]);
            }
        }
    }
    (found, levels)
}

/// Whether most texts of a column are there once only: a dictionary of them would be no gain.
fn mostly_differ(texts: &Texts) -> bool {
    let count = texts.len().min(SAMPLE);
    let step = (texts.len() / count.max(1)).max(1);
    let seen: HashSet<&[u8]> = (0..count).map(|at| texts.at(at * step)).collect();
    count > 64 && seen.len() * 2 > count
}
