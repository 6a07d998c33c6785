//! Searching a block: groups of rows that cannot match are passed over, then one column after the other narrows what is left.

use parquet::bloom_filter::Sbbf;
use parquet::data_type::{BoolType, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};

use super::columns::Columns;
use super::read::{Block, ReadError};
use super::schema::attribute_name;
use crate::otlp;
use crate::query::{Field, Filter, Search, Test};
use crate::rows::{Table, ValueKind};

impl Block {
    /// The numbers of the traces in which `search` finds a span, ascending: the newest last.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn search(&self, search: &Search) -> Result<Vec<u32>, ReadError> {
        let spans = &self.spans;
        let time = self.time();
        if time.start() > search.time.end() || time.end() < search.time.start() {
            return Ok(Vec::new());
        }
        let mut filters: Vec<Bound<'_>> = Vec::with_capacity(search.filters.len());
        for filter in &search.filters {
            filters.push(Bound::new(filter, spans, &self.resources)?);
        }
        filters.sort_by_key(|filter| filter.cost);
        let mut found = Vec::new();
        for group in 0..spans.groups() {
            let mut rows = Rows::All(spans.rows_of(group));
            for filter in &filters {
                if !filter.may_match(spans, group)? {
                    rows = Rows::Some(Vec::new());
                    break;
                }
            }
            for filter in &filters {
                if rows.is_empty() {
                    break;
                }
                rows = filter.narrow(spans, rows)?;
            }
            if rows.is_empty() {
                continue;
            }
            let rows = rows.into_list();
            let starts = spans.fetch::<Int64Type>(spans.named("start")?, &rows)?.0;
            let traces = spans.fetch::<Int32Type>(spans.named("trace")?, &rows)?.0;
            for (start, trace) in starts.iter().zip(&traces) {
                if search.time.contains(&start.cast_unsigned()) {
                    found.push(trace.cast_unsigned());
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// Rows that may match.
enum Rows {
    All(std::ops::Range<u32>),
    Some(Vec<u32>),
}

impl Rows {
    fn is_empty(&self) -> bool {
        match self {
            Self::All(range) => range.is_empty(),
            Self::Some(rows) => rows.is_empty(),
        }
    }

    fn into_list(self) -> Vec<u32> {
        match self {
            Self::All(range) => range.collect(),
            Self::Some(rows) => rows,
        }
    }
}

/// A condition, and the columns of this block that it is about.
struct Bound<'a> {
    test: &'a Test,
    column: Where,
    /// How much work it is to look at a row, roughly.
    cost: u8,
}

enum Where {
    Texts(usize),
    Numbers(usize),
    Times(usize),
    /// A parent is there or is not.
    Parent(usize),
    /// An attribute's columns, one for each type, and which resources match.
    Attribute {
        columns: Vec<(ValueKind, usize)>,
        resources: Option<(usize, Vec<bool>)>,
        rest: Option<(usize, String)>,
    },
}

impl<'a> Bound<'a> {
    fn new(filter: &'a Filter, spans: &Columns, resources: &Table) -> Result<Self, ReadError> {
        let test = &filter.test;
        let (column, cost) = match &filter.field {
            Field::Service => (Where::Texts(spans.named("service")?), 0),
            Field::Name => (Where::Texts(spans.named("name")?), 1),
            Field::Status => (Where::Numbers(spans.named("status")?), 2),
            Field::Kind => (Where::Numbers(spans.named("kind")?), 2),
            Field::Root => (Where::Parent(spans.named("parent")?), 3),
            Field::Duration => (Where::Times(spans.named("duration")?), 3),
            Field::Attribute(key) => {
                let kinds = [
                    ValueKind::Text,
                    ValueKind::Int,
                    ValueKind::Double,
                    ValueKind::Bool,
                    ValueKind::Other,
                ];
                let columns = kinds.into_iter().filter_map(|kind| {
                    let column = spans.column(&attribute_name(key, kind))?;
                    Some((kind, column))
                });
                let mut matching = Vec::with_capacity(resources.len());
                for resource in resources.iter() {
                    let value = otlp::value(resource, key).ok().flatten();
                    matching.push(value.is_some_and(|value| test.passes(value)));
                }
                let any = matching.contains(&true);
                let column = spans.named("resource")?;
                let rest = spans.named("rest")?;
                let place = Where::Attribute {
                    columns: columns.collect(),
                    resources: any.then_some((column, matching)),
                    rest: spans.has_values(rest).then(|| (rest, key.clone())),
                };
                (place, 4)
            }
        };
        Ok(Self { test, column, cost })
    }

    /// Whether a group of rows may have one for which it holds.
    fn may_match(&self, spans: &Columns, group: usize) -> Result<bool, ReadError> {
        let Some(text) = self.test.only() else {
            return Ok(true);
        };
        match &self.column {
            Where::Texts(column) => Ok(spans.is_between(group, *column, text.as_bytes())),
            Where::Attribute {
                columns,
                resources: None,
                rest: None,
            } => {
                for (kind, column) in columns {
                    let may = match kind {
                        ValueKind::Text => match spans.bloom(group, *column)? {
                            Some(bloom) => bloom.check(text),
                            None => true,
                        },
                        _ => true,
                    };
                    if may {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// The rows for which it holds.
    fn narrow(&self, spans: &Columns, rows: Rows) -> Result<Rows, ReadError> {
        let rows = rows.into_list();
        let test = self.test;
        let kept = match &self.column {
            Where::Texts(column) => {
                // Mostly the same one again.
                let mut last: Option<(parquet::data_type::ByteArray, bool)> = None;
                keep::<ByteArrayType>(spans, *column, &rows, |text| match &last {
                    Some((known, passes)) if known.data() == text.data() => *passes,
                    _ => {
                        let passes = test.text(text.data());
                        last = Some((text.clone(), passes));
                        passes
                    }
                })?
            }
            Where::Numbers(column) => {
                keep::<Int32Type>(spans, *column, &rows, |number| test.int((*number).into()))?
            }
            Where::Times(column) => {
                keep::<Int64Type>(spans, *column, &rows, |time| test.int(*time))?
            }
            Where::Parent(column) => {
                let has = spans
                    .fetch::<parquet::data_type::FixedLenByteArrayType>(*column, &rows)?
                    .1;
                let both = rows.iter().zip(has);
                both.filter(|(_, has)| test.flag(!has))
                    .map(|(row, _)| *row)
                    .collect()
            }
            Where::Attribute {
                columns,
                resources,
                rest,
            } => {
                let mut kept = Vec::new();
                for (kind, column) in columns {
                    kept.extend(match kind {
                        ValueKind::Text => keep::<ByteArrayType>(spans, *column, &rows, |text| {
                            test.text(text.data())
                        })?,
                        ValueKind::Int => {
                            keep::<Int64Type>(spans, *column, &rows, |number| test.int(*number))?
                        }
                        ValueKind::Double => keep::<DoubleType>(spans, *column, &rows, |number| {
                            test.double(*number)
                        })?,
                        ValueKind::Bool => {
                            keep::<BoolType>(spans, *column, &rows, |flag| test.flag(*flag))?
                        }
                        ValueKind::Other => {
                            keep::<ByteArrayType>(spans, *column, &rows, |message| {
                                test.passes(crate::rows::Value::Other(message.data()))
                            })?
                        }
                    });
                }
                if let Some((column, matching)) = resources {
                    kept.extend(keep::<Int32Type>(spans, *column, &rows, |resource| {
                        let resource = resource.cast_unsigned() as usize;
                        matching.get(resource).copied().unwrap_or_default()
                    })?);
                }
                if let Some((column, key)) = rest {
                    kept.extend(keep::<ByteArrayType>(spans, *column, &rows, |pairs| {
                        crate::rows::pairs(pairs.data())
                            .any(|(known, value)| known == key && test.passes(value))
                    })?);
                }
                kept.sort_unstable();
                kept.dedup();
                kept
            }
        };
        Ok(Rows::Some(kept))
    }
}

/// The rows whose value passes.
fn keep<T: DataType>(
    spans: &Columns,
    column: usize,
    rows: &[u32],
    mut passes: impl FnMut(&T::T) -> bool,
) -> Result<Vec<u32>, ReadError> {
    let (values, has) = spans.fetch::<T>(column, rows)?;
    let mut values = values.iter();
    let mut kept = Vec::new();
    for (row, has) in rows.iter().zip(has) {
        if has && values.next().is_some_and(&mut passes) {
            kept.push(*row);
        }
    }
    Ok(kept)
}

impl Columns {
    /// The bloom filter of a column in a group of rows.
    fn bloom(&self, group: usize, column: usize) -> Result<Option<Sbbf>, ReadError> {
        Ok(Sbbf::read_from_column_chunk(
            self.chunk(group, column),
            self.file(),
        )?)
    }
}
