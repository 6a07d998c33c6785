//! Tables of a block, in its file's metadata: what rows name by number.

use parquet::file::metadata::KeyValue;

use crate::rows::Table;

/// A table as metadata: its texts as hexadecimal, with spaces between.
pub(super) fn encode(key: &str, table: &Table) -> KeyValue {
    let mut words = Vec::with_capacity(table.len());
    for text in table.iter() {
        let hex = text.iter().fold(String::new(), |mut hex, byte| {
            for digit in [byte >> 4, byte & 15] {
                hex.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
            hex
        });
        words.push(hex);
    }
    KeyValue::new(key.to_owned(), words.join(" "))
}

/// What [`encode`] wrote; `None` of anything else.
pub(super) fn decode(metadata: &str) -> Option<Table> {
    let mut table = Table::default();
    if metadata.is_empty() {
        return Some(table);
    }
    for word in metadata.split(' ') {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let (pairs, rest) = word.as_bytes().as_chunks::<2>();
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|[high, low]| u8::try_from(digit(high)? << 4 | digit(low)?).ok())
            .collect();
        if !rest.is_empty() {
            return None;
        }
        table.number(&bytes?);
    }
    Some(table)
}
