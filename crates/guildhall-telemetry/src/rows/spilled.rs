//! Attributes without a column, as bytes: for each its type, its key and its value.

use super::attributes::Value;

const TEXT: u8 = 0;
const INT: u8 = 1;
const DOUBLE: u8 = 2;
const BOOL: u8 = 3;
const OTHER: u8 = 4;

/// One pair.
pub(super) fn encode(key: &str, value: Value<'_>) -> Vec<u8> {
    let (kind, value): (u8, &[u8]) = match value {
        Value::Text(text) => (TEXT, text),
        Value::Int(number) => (INT, &number.to_le_bytes()),
        Value::Double(number) => (DOUBLE, &number.to_bits().to_le_bytes()),
        Value::Bool(flag) => (BOOL, &[u8::from(flag)]),
        Value::Other(message) => (OTHER, message),
    };
    let mut bytes = Vec::with_capacity(9 + key.len() + value.len());
    bytes.push(kind);
    for part in [key.as_bytes(), value] {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// The pairs, as far as they are some.
pub(crate) fn decode(mut bytes: &[u8]) -> impl Iterator<Item = (&str, Value<'_>)> {
    std::iter::from_fn(move || {
        let (kind, rest) = bytes.split_first()?;
        let (key, rest) = part(rest)?;
        let (value, rest) = part(rest)?;
        bytes = rest;
        let value = match *kind {
            TEXT => Value::Text(value),
            INT => Value::Int(i64::from_le_bytes(value.try_into().ok()?)),
            DOUBLE => Value::Double(f64::from_bits(u64::from_le_bytes(value.try_into().ok()?))),
            BOOL => Value::Bool(*value.first()? != 0),
            OTHER => Value::Other(value),
            _ => return None,
        };
        Some((std::str::from_utf8(key).ok()?, value))
    })
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)
}
