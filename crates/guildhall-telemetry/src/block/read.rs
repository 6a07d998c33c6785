//! Reading a block: what a column says of some rows, and a trace by its id.

use guildhall_log::files::Files;
use parquet::data_type::{
    BoolType, ByteArrayType, DoubleType, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;

use super::about::About;
use super::checked::Checked;
use super::columns::Columns;
use super::tables;
use super::traces::{INDEX_ENTRY, decode_places};
use super::{ABOUT, INDEX, SPANS, TRACES, file_of};
use crate::rows::{Fixed, Rows, Table, TraceId, Value};

/// Why a block cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file cannot be read.
    #[error("a block cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A file is not what was written.
    #[error("a block is damaged: {0}")]
    Parquet(#[from] ParquetError),
    /// What is said of the files is not what was written.
    #[error("a block is damaged: {ABOUT}: {0}")]
    About(#[from] serde_json::Error),
    /// The block was written by a newer version.
    #[error("a block is of version {0}, which this one cannot read: use a newer guildhall")]
    Newer(u32),
    /// Files do not go together.
    #[error("a block is damaged: {0}")]
    Damaged(&'static str),
}

/// A trace in short, as far as a block has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: TraceId,
    /// When its first span began: nanoseconds since 1970.
    pub start: u64,
    /// From there to the end of the last one, in nanoseconds.
    pub duration: u64,
    /// How many spans.
    pub spans: u32,
    /// How many of them failed.
    pub errors: u32,
    /// Whether its root is here.
    pub has_root: bool,
    /// The root's service; the first span's if there is no root.
    pub service: String,
    /// The root's name, or the first span's.
    pub name: String,
    /// Where its spans are.
    pub places: Vec<u32>,
}

/// A block that is there.
pub struct Block {
    about: About,
    pub(super) spans: Columns,
    traces: Columns,
    index: Checked,
    pub(super) resources: Table,
    scopes: Table,
}

impl Block {
    /// Opens the block `name`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn open(files: &dyn Files, name: &str) -> Result<Self, ReadError> {
        let about = About::read(files, name)?;
        let open = |part: &str| Checked::open(files, &file_of(name, part), about.sums(part)?);
        let (spans, traces) = (Columns::open(open(SPANS)?)?, Columns::open(open(TRACES)?)?);
        let index = open(INDEX)?;
        if index.bytes() != u64::from(traces.len()) * INDEX_ENTRY as u64 {
            return Err(ReadError::Damaged("its index is of other traces"));
        }
        let table = |key: &str| {
            let value = spans.metadata(key);
            value
                .and_then(tables::decode)
                .ok_or(ReadError::Damaged("a table is missing"))
        };
        Ok(Self {
            resources: table("resources")?,
            scopes: table("scopes")?,
            about,
            spans,
            traces,
            index,
        })
    }

    /// From when its first span is to when its last one ends: nanoseconds since 1970.
    pub fn time(&self) -> std::ops::RangeInclusive<u64> {
        self.about.start..=self.about.end
    }

    /// How many spans it has.
    pub fn len(&self) -> u32 {
        self.spans.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The trace of this id, if it is here.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn find(&self, id: &TraceId) -> Result<Option<Summary>, ReadError> {
        let Some(begin) = id.first_chunk::<8>() else {
            return Ok(None);
        };
        let entry = |at: u32| {
            let mut entry = [0; INDEX_ENTRY];
            let offset = u64::from(at) * INDEX_ENTRY as u64;
            self.index.read(offset, &mut entry)?;
            Ok::<_, ReadError>(entry)
        };
        let (mut low, mut high) = (0, self.traces.len());
        while low < high {
            let middle = low.midpoint(high);
            match entry(middle)?[..8] < begin[..] {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let mut numbers = Vec::new();
        while low < self.traces.len() {
            let entry = entry(low)?;
            if entry[..8] != begin[..] {
                break;
            }
            if let Some(number) = entry.last_chunk::<4>() {
                numbers.push(u32::from_be_bytes(*number));
            }
            low += 1;
        }
        numbers.sort_unstable();
        let found = self.summaries(&numbers)?;
        Ok(found.into_iter().find(|summary| summary.id == *id))
    }

    /// The ids of the traces of these numbers, ascending, and when each began.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn starts(&self, numbers: &[u32]) -> Result<Vec<(TraceId, u64)>, ReadError> {
        let (ids, _) = self.traces.fetch::<FixedLenByteArrayType>(0, numbers)?;
        let (starts, _) = self.traces.fetch::<Int64Type>(1, numbers)?;
        let wrong = |_| ReadError::Damaged("an id is none");
        let both = ids.iter().zip(starts);
        both.map(|(id, start)| Ok((id.data().try_into().map_err(wrong)?, start.cast_unsigned())))
            .collect()
    }

    /// The traces of these numbers, ascending.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn summaries(&self, numbers: &[u32]) -> Result<Vec<Summary>, ReadError> {
        let traces = &self.traces;
        let (ids, _) = traces.fetch::<FixedLenByteArrayType>(0, numbers)?;
        let (starts, _) = traces.fetch::<Int64Type>(1, numbers)?;
        let (durations, _) = traces.fetch::<Int64Type>(2, numbers)?;
        let (spans, _) = traces.fetch::<Int32Type>(3, numbers)?;
        let (errors, _) = traces.fetch::<Int32Type>(4, numbers)?;
        let (roots, _) = traces.fetch::<BoolType>(5, numbers)?;
        let (services, _) = traces.fetch::<ByteArrayType>(6, numbers)?;
        let (names, _) = traces.fetch::<ByteArrayType>(7, numbers)?;
        let (places, _) = traces.fetch::<ByteArrayType>(8, numbers)?;
        let word = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (0..numbers.len())
            .map(|at| {
                let places = decode_places(places[at].data());
                Ok(Summary {
                    id: ids[at]
                        .data()
                        .try_into()
                        .map_err(|_| ReadError::Damaged("an id is none"))?,
                    start: starts[at].cast_unsigned(),
                    duration: durations[at].cast_unsigned(),
                    spans: spans[at].cast_unsigned(),
                    errors: errors[at].cast_unsigned(),
                    has_root: roots[at],
                    service: word(services[at].data()),
                    name: word(names[at].data()),
                    places: places.ok_or(ReadError::Damaged("where a trace's spans are"))?,
                })
            })
            .collect()
    }

    /// The spans at these places, ascending, with all that they say.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn spans(&self, places: &[u32]) -> Result<Rows, ReadError> {
        let spans = &self.spans;
        let at = |name: &str| spans.named(name);
        let mut rows = Rows::default();
        let (traces, _) = spans.fetch::<Int32Type>(at("trace")?, places)?;
        let mut numbers: Vec<u32> = traces.iter().map(|number| number.cast_unsigned()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let (ids, _) = self.traces.fetch::<FixedLenByteArrayType>(0, &numbers)?;
        let (span_ids, _) = spans.fetch::<FixedLenByteArrayType>(at("span_id")?, places)?;
        let (parents, has_parent) = spans.fetch::<FixedLenByteArrayType>(at("parent")?, places)?;
        let mut parents = parents.iter();
        let (starts, _) = spans.fetch::<Int64Type>(at("start")?, places)?;
        let (durations, _) = spans.fetch::<Int64Type>(at("duration")?, places)?;
        let (kinds, _) = spans.fetch::<Int32Type>(at("kind")?, places)?;
        let (statuses, _) = spans.fetch::<Int32Type>(at("status")?, places)?;
        let (flags, _) = spans.fetch::<Int32Type>(at("flags")?, places)?;
        let (names, _) = spans.fetch::<ByteArrayType>(at("name")?, places)?;
        let (resources, _) = spans.fetch::<Int32Type>(at("resource")?, places)?;
        let (scopes, _) = spans.fetch::<Int32Type>(at("scope")?, places)?;
        let wrong = |_| ReadError::Damaged("an id is none");
        for row in 0..places.len() {
            let number = numbers.binary_search(&traces[row].cast_unsigned());
            let trace = number.ok().and_then(|number| ids.get(number));
            let parent = if has_parent[row] {
                parents.next()
            } else {
                None
            };
            let fixed = Fixed {
                trace_id: trace
                    .ok_or(ReadError::Damaged("a trace is missing"))?
                    .data()
                    .try_into()
                    .map_err(wrong)?,
                span_id: span_ids[row].data().try_into().map_err(wrong)?,
                parent: parent
                    .map_or(Ok([0; 8]), |parent| parent.data().try_into())
                    .map_err(wrong)?,
                start: starts[row].cast_unsigned(),
                duration: durations[row].cast_unsigned(),
                kind: kinds[row] as u8,
                status: statuses[row] as u8,
                flags: flags[row].cast_unsigned(),
            };
            let name = rows.names.number(names[row].data());
            let table = |table: &Table, number: i32| {
                table
                    .get(number.cast_unsigned())
                    .map(<[u8]>::to_vec)
                    .unwrap_or_default()
            };
            let resource = rows
                .resources
                .number(&table(&self.resources, resources[row]));
            let scope = rows.scopes.number(&table(&self.scopes, scopes[row]));
            rows.push(&fixed, name, resource, scope);
        }
        for (name, texts) in [("message", 0), ("trace_state", 1), ("details", 2)] {
            let (values, has) = spans.fetch::<ByteArrayType>(at(name)?, places)?;
            let texts = match texts {
                0 => &mut rows.messages,
                1 => &mut rows.trace_states,
                _ => &mut rows.details,
            };
            for (row, value) in present(&has).zip(&values) {
                texts.push(row, value.data());
            }
        }
        for (name, column) in spans.names() {
            let Some((kind, key)) = name.split_once(':') else {
                continue;
            };
            rows.attributes.begin();
            match kind {
                "text" | "other" => {
                    let (values, has) = spans.fetch::<ByteArrayType>(column, places)?;
                    for (row, value) in present(&has).zip(&values) {
                        let value = match kind {
                            "text" => Value::Text(value.data()),
                            _ => Value::Other(value.data()),
                        };
                        rows.attributes.push(row, key, value);
                    }
                }
                "int" => {
                    let (values, has) = spans.fetch::<Int64Type>(column, places)?;
                    for (row, value) in present(&has).zip(&values) {
                        rows.attributes.push(row, key, Value::Int(*value));
                    }
                }
                "double" => {
                    let (values, has) = spans.fetch::<DoubleType>(column, places)?;
                    for (row, value) in present(&has).zip(&values) {
                        rows.attributes.push(row, key, Value::Double(*value));
                    }
                }
                "bool" => {
                    let (values, has) = spans.fetch::<BoolType>(column, places)?;
                    for (row, value) in present(&has).zip(&values) {
                        rows.attributes.push(row, key, Value::Bool(*value));
                    }
                }
                _ => {}
            }
        }
        let (pairs, has) = spans.fetch::<ByteArrayType>(at("rest")?, places)?;
        for (row, pairs) in present(&has).zip(&pairs) {
            rows.attributes.push_rest(row, pairs.data());
        }
        Ok(rows)
    }
}

fn present(has: &[bool]) -> impl Iterator<Item = u32> + '_ {
    has.iter()
        .zip(0..)
        .filter(|(has, _)| **has)
        .map(|(_, row)| row)
}
