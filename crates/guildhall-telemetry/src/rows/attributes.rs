//! What attributes say: a column for each key and type.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::column::{Sparse, Texts, matches};
use super::spilled;

/// How an attribute's value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ValueKind {
    /// A text.
    Text,
    /// A 64-bit integer.
    Int,
    /// A 64-bit floating point number.
    Double,
    /// True or false.
    Bool,
    /// A list, a map or bytes: the OTLP `AnyValue` message, as it came.
    Other,
}

/// The values of one column.
#[derive(Clone, Debug)]
pub enum Values {
    /// [`ValueKind::Text`].
    Text(Texts),
    /// [`ValueKind::Int`].
    Int(Sparse<i64>),
    /// [`ValueKind::Double`].
    Double(Sparse<f64>),
    /// [`ValueKind::Bool`].
    Bool(Sparse<bool>),
    /// [`ValueKind::Other`].
    Other(Texts),
}

/// One value, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// [`ValueKind::Text`], which is UTF-8.
    Text(&'a [u8]),
    /// [`ValueKind::Int`].
    Int(i64),
    /// [`ValueKind::Double`].
    Double(f64),
    /// [`ValueKind::Bool`].
    Bool(bool),
    /// [`ValueKind::Other`].
    Other(&'a [u8]),
}

impl Value<'_> {
    /// Of which type it is.
    pub fn kind(self) -> ValueKind {
        match self {
            Value::Text(_) => ValueKind::Text,
            Value::Int(_) => ValueKind::Int,
            Value::Double(_) => ValueKind::Double,
            Value::Bool(_) => ValueKind::Bool,
            Value::Other(_) => ValueKind::Other,
        }
    }
}

/// What the spans say under one key, as far as it is of one type.
#[derive(Clone, Debug)]
pub struct Column {
    /// The key.
    pub key: Box<str>,
    /// The values.
    pub values: Values,
    /// The column that came after this one in the last span: most likely in the next one, too.
    follower: u32,
}

impl Column {
    fn new(key: &str, kind: ValueKind) -> Self {
        Self {
            key: key.into(),
            values: match kind {
                ValueKind::Text => Values::Text(Texts::default()),
                ValueKind::Int => Values::Int(Sparse::default()),
                ValueKind::Double => Values::Double(Sparse::default()),
                ValueKind::Bool => Values::Bool(Sparse::default()),
                ValueKind::Other => Values::Other(Texts::default()),
            },
            follower: u32::MAX,
        }
    }

    /// Of which type the values are.
    pub fn kind(&self) -> ValueKind {
        match &self.values {
            Values::Text(_) => ValueKind::Text,
            Values::Int(_) => ValueKind::Int,
            Values::Double(_) => ValueKind::Double,
            Values::Bool(_) => ValueKind::Bool,
            Values::Other(_) => ValueKind::Other,
        }
    }

    /// Which rows have a value.
    pub fn rows(&self) -> &[u32] {
        match &self.values {
            Values::Text(texts) | Values::Other(texts) => &texts.rows,
            Values::Int(values) => &values.rows,
            Values::Double(values) => &values.rows,
            Values::Bool(values) => &values.rows,
        }
    }

    /// What a row says.
    pub fn get(&self, row: u32) -> Option<Value<'_>> {
        self.at(self.rows().binary_search(&row).ok()?)
    }

    /// The value at a place among those that are there.
    fn at(&self, at: usize) -> Option<Value<'_>> {
        Some(match &self.values {
            Values::Text(texts) => Value::Text(texts.at(at)),
            Values::Int(values) => Value::Int(*values.values.get(at)?),
            Values::Double(values) => Value::Double(*values.values.get(at)?),
            Values::Bool(values) => Value::Bool(*values.values.get(at)?),
            Values::Other(texts) => Value::Other(texts.at(at)),
        })
    }

    fn push(&mut self, row: u32, value: Value<'_>) {
        match (&mut self.values, value) {
            (Values::Text(texts), Value::Text(text))
            | (Values::Other(texts), Value::Other(text)) => {
                texts.push(row, text);
            }
            (Values::Int(values), Value::Int(value)) => values.push(row, value),
            (Values::Double(values), Value::Double(value)) => values.push(row, value),
            (Values::Bool(values), Value::Bool(value)) => values.push(row, value),
            _ => {}
        }
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    columns: Vec<Column>,
    numbers: HashTable<u32>,
    hasher: RandomState,
    /// What has no column: pairs in the form of [`spilled`].
    rest: Texts,
    /// The column of the last value.
    last: u32,
}

impl Attributes {
    /// The most columns. What comes under more keys is kept, and found more slowly.
    pub const MAX_COLUMNS: usize = 512;

    /// The columns, in the order in which their keys came.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// What has no column: keys behind the first [`Attributes::MAX_COLUMNS`], and keys that stand twice in a span.
    pub fn rest(&self) -> &Texts {
        &self.rest
    }

    /// Before a span's first attribute.
    pub(crate) fn begin(&mut self) {
        self.last = u32::MAX;
    }

    /// Adds a value of a row, which none before may follow.
    pub(crate) fn push(&mut self, row: u32, key: &str, value: Value<'_>) {
        let kind = value.kind();
        let number = self.guess(key, kind).or_else(|| self.find(key, kind));
        let column = number.and_then(|number| self.columns.get_mut(number as usize));
        match column {
            Some(column) if column.rows().last() != Some(&row) => column.push(row, value),
            _ => self.rest.extend(row, &spilled::encode(key, value)),
        }
        self.last = number.unwrap_or(self.last);
    }

    /// All that a row says.
    pub fn of(&self, row: u32) -> impl Iterator<Item = (&str, Value<'_>)> {
        let columns = self.columns.iter();
        let columns = columns.filter_map(move |column| Some((&*column.key, column.get(row)?)));
        let rest = self.rest.get(row).unwrap_or_default();
        columns.chain(spilled::decode(rest))
    }

    /// Adds pairs of a row, which none before may follow, that have no column.
    pub(crate) fn push_rest(&mut self, row: u32, pairs: &[u8]) {
        self.rest.extend(row, pairs);
    }

    /// The column that came after the last one before.
    fn guess(&self, key: &str, kind: ValueKind) -> Option<u32> {
        let number = match self.columns.get(self.last as usize) {
            Some(last) => last.follower,
            None => 0,
        };
        let column = self.columns.get(number as usize)?;
        (*column.key == *key && column.kind() == kind).then_some(number)
    }

    fn find(&mut self, key: &str, kind: ValueKind) -> Option<u32> {
        let Self {
            columns,
            numbers,
            hasher,
            last,
            ..
        } = self;
        let hash = hasher.hash_one((key, kind));
        let is_it = |number: &u32| {
            let column = &columns[*number as usize];
            *column.key == *key && column.kind() == kind
        };
        let number = match numbers.find(hash, is_it) {
            Some(number) => *number,
            None if columns.len() >= Self::MAX_COLUMNS => return None,
            None => {
                let number = u32::try_from(columns.len()).unwrap_or(u32::MAX);
                columns.push(Column::new(key, kind));
                numbers.insert_unique(hash, number, |number| {
                    let column = &columns[*number as usize];
                    hasher.hash_one((&*column.key, column.kind()))
                });
                number
            }
        };
        if let Some(last) = columns.get_mut(*last as usize) {
            last.follower = number;
        }
        Some(number)
    }

    pub(super) fn take_back(&mut self, row: u32) {
        self.rest.take_back(row);
        for column in &mut self.columns {
            match &mut column.values {
                Values::Text(texts) | Values::Other(texts) => texts.take_back(row),
                Values::Int(values) => values.take_back(row),
                Values::Double(values) => values.take_back(row),
                Values::Bool(values) => values.take_back(row),
            }
        }
    }

    pub(super) fn append(&mut self, other: &Self, wanted: &[u32], first: u32) {
        // What has no column, which comes by column and goes by row.
        let rest = matches(&other.rest.rows, wanted, first);
        let mut rest: Vec<(u32, Vec<u8>)> = rest
            .map(|(at, row)| (row, other.rest.at(at).to_vec()))
            .collect();
        for column in &other.columns {
            let number = self.find(&column.key, column.kind());
            for (at, row) in matches(column.rows(), wanted, first) {
                let Some(value) = column.at(at) else { continue };
                match number.and_then(|number| self.columns.get_mut(number as usize)) {
                    Some(mine) => mine.push(row, value),
                    None => rest.push((row, spilled::encode(&column.key, value))),
                }
            }
        }
        rest.sort_by_key(|(row, _)| *row);
        for (row, pairs) in rest {
            self.rest.extend(row, &pairs);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(|column| match &column.values {
            Values::Text(texts) | Values::Other(texts) => texts.bytes(),
            Values::Int(values) => 12 * values.rows.len(),
            Values::Double(values) => 12 * values.rows.len(),
            Values::Bool(values) => 5 * values.rows.len(),
        });
        self.rest.bytes() + columns.sum::<usize>()
    }
}
