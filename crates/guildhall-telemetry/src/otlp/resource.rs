//! What a resource says of who made spans.

use super::traces::any_value;
use super::wire::{Fields, WireError};
use crate::rows::Value;

/// The name of a service whose resource says none, as OpenTelemetry has it.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

/// What an OTLP `Resource` message says under a key.
///
/// # Errors
/// [`WireError`].
pub fn value<'a>(resource: &'a [u8], key: &str) -> Result<Option<Value<'a>>, WireError> {
    let mut fields = Fields::new(resource);
    while let Some(field) = fields.next()? {
        if field.number != 1 {
            continue;
        }
        let (mut is_it, mut value): (bool, &[u8]) = (false, &[]);
        let mut pair = Fields::new(field.bytes()?);
        while let Some(field) = pair.next()? {
            match field.number {
                1 => is_it = field.bytes()? == key.as_bytes(),
                2 => value = field.bytes()?,
                _ => {}
            }
        }
        if is_it {
            return any_value(value);
        }
    }
    Ok(None)
}

/// The service that a resource names.
pub fn service(resource: &[u8]) -> &str {
    let named = match value(resource, "service.name") {
        Ok(Some(Value::Text(name))) => std::str::from_utf8(name).ok(),
        _ => None,
    };
    named
        .filter(|name| !name.is_empty())
        .unwrap_or(UNKNOWN_SERVICE)
}
