//! One Parquet file: what its columns say of some rows.

use std::collections::HashMap;
use std::sync::Arc;

use parquet::column::reader::{
    ColumnReader, ColumnReaderImpl, get_column_reader, get_typed_column_reader,
};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use parquet::file::serialized_reader::SerializedPageReader;

use super::ReadError;
use super::checked::Checked;

/// A file of columns.
pub(super) struct Columns {
    file: Arc<Checked>,
    metadata: ParquetMetaData,
    columns: HashMap<String, usize>,
    /// The first row of each group, and the count of all.
    firsts: Vec<u32>,
}

impl Columns {
    /// Reads what the file says of itself.
    pub(super) fn open(file: Checked) -> Result<Self, ReadError> {
        let mut reader =
            ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
        reader.try_parse(&file)?;
        let metadata = reader.finish()?;
        let schema = metadata.file_metadata().schema_descr();
        let names = schema
            .columns()
            .iter()
            .map(|column| column.name().to_owned());
        let columns = names.zip(0..).collect();
        let mut firsts = vec![0_u32];
        for group in metadata.row_groups() {
            let before = firsts.last().copied().unwrap_or_default();
            let rows = u32::try_from(group.num_rows()).unwrap_or(u32::MAX);
            firsts.push(before.saturating_add(rows));
        }
        Ok(Self {
            file: Arc::new(file),
            metadata,
            columns,
            firsts,
        })
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> u32 {
        self.firsts.last().copied().unwrap_or_default()
    }

    /// How many groups of rows there are.
    pub(super) fn groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// The rows of a group.
    pub(super) fn rows_of(&self, group: usize) -> std::ops::Range<u32> {
        let at = |group: usize| self.firsts.get(group).copied().unwrap_or_default();
        at(group)..at(group + 1)
    }

    /// What the file says of a column in a group of rows.
    pub(super) fn chunk(&self, group: usize, column: usize) -> &ColumnChunkMetaData {
        self.metadata.row_group(group).column(column)
    }

    /// The file.
    pub(super) fn file(&self) -> &Checked {
        &self.file
    }

    /// Whether a text may be among those of a column in a group of rows, by the least and the greatest of them.
    pub(super) fn is_between(&self, group: usize, column: usize, text: &[u8]) -> bool {
        let Some(known) = self.chunk(group, column).statistics() else {
            return true;
        };
        // What is written of long ones is cut, but still no more and no less than they are.
        known.min_bytes_opt().is_none_or(|least| least <= text)
            && known.max_bytes_opt().is_none_or(|most| text <= most)
    }

    /// Whether any row has a value in a column.
    pub(super) fn has_values(&self, column: usize) -> bool {
        (0..self.groups()).any(|group| self.chunk(group, column).uncompressed_size() > 0)
    }

    /// The number of a column that every block has.
    pub(super) fn named(&self, name: &str) -> Result<usize, ReadError> {
        self.column(name)
            .ok_or(ReadError::Damaged("a column is missing"))
    }

    /// The number of a column.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.get(name).copied()
    }

    /// The columns' names and numbers.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, usize)> {
        self.columns.iter().map(|(name, column)| (&**name, *column))
    }

    /// What the file says of itself under a key.
    pub(super) fn metadata(&self, key: &str) -> Option<&str> {
        let pairs = self.metadata.file_metadata().key_value_metadata()?;
        let pair = pairs.iter().find(|pair| pair.key == key)?;
        pair.value.as_deref()
    }

    fn reader(&self, group: usize, column: usize) -> Result<ColumnReader, ReadError> {
        let of = self.metadata.row_group(group);
        let chunk = of.column(column);
        let index = self.metadata.page_index_for_row_group(group);
        let pages = index.page_locations(column).cloned();
        let rows = usize::try_from(of.num_rows()).unwrap_or_default();
        let pages = SerializedPageReader::new(Arc::clone(&self.file), chunk, rows, pages)?;
        Ok(get_column_reader(chunk.column_descr_ptr(), Box::new(pages)))
    }

    /// What a column says of `wanted` rows, ascending and counted in the whole file: a value for each that has one, and
    /// which have.
    pub(super) fn fetch<T: DataType>(
        &self,
        column: usize,
        wanted: &[u32],
    ) -> Result<(Vec<T::T>, Vec<bool>), ReadError> {
        let (mut values, mut has) = (
            Vec::with_capacity(wanted.len()),
            Vec::with_capacity(wanted.len()),
        );
        let mut rest = wanted;
        while let Some(&row) = rest.first() {
            let group = self.firsts.partition_point(|first| *first <= row) - 1;
            let Some(&end) = self.firsts.get(group + 1) else {
                return Err(ReadError::Damaged("a row behind the last"));
            };
            let count = rest.partition_point(|row| *row < end);
            let (here, later) = rest.split_at(count);
            let first = self.firsts[group];
            let mut reader: ColumnReaderImpl<T> =
                get_typed_column_reader(self.reader(group, column)?);
            let optional = self
                .metadata
                .row_group(group)
                .column(column)
                .column_descr()
                .max_def_level()
                > 0;
            runs(here, first, |skip, take| {
                if skip > 0 {
                    reader.skip_records(skip)?;
                }
                let mut levels: Vec<i16> = Vec::with_capacity(take);
                let mut taken = 0;
                while taken < take {
                    let levels = optional.then_some(&mut levels);
                    let (records, _, _) =
                        reader.read_records(take - taken, levels, None, &mut values)?;
                    if records == 0 {
                        return Err(ParquetError::General(
                            "a column has fewer rows than its group".to_owned(),
                        ));
                    }
                    taken += records;
                }
                match optional {
                    true => has.extend(levels.iter().map(|level| *level > 0)),
                    false => has.extend(std::iter::repeat_n(true, take)),
                }
                Ok(())
            })?;
            rest = later;
        }
        Ok((values, has))
    }
}

/// Calls `read` with how many rows to skip and how many to take then, for ascending rows of a group.
fn runs(
    wanted: &[u32],
    first: u32,
    mut read: impl FnMut(usize, usize) -> Result<(), ParquetError>,
) -> Result<(), ParquetError> {
    let mut next = first;
    for run in wanted.chunk_by(|a, b| a + 1 == *b) {
        let Some(&begin) = run.first() else { continue };
        read((begin - next) as usize, run.len())?;
        next = begin + run.len() as u32;
    }
    Ok(())
}
