//! `ExportTraceServiceRequest`, read into rows. Field numbers are those of opentelemetry-proto 1.x.

use super::wire::{Field, Fields, Wire, WireError};
use crate::rows::{Fixed, Rows, Value};

/// Spans of a request that were not taken, and why the first of them was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub spans: u64,
    /// Why.
    pub why: Option<&'static str>,
}

impl Rejected {
    fn add(&mut self, why: &'static str) {
        self.spans += 1;
        self.why.get_or_insert(why);
    }
}

/// Reads a request's spans. Those that break a rule are left out and counted.
///
/// # Errors
/// [`WireError`] for what is not OTLP's protobuf: then there are none.
pub fn traces(request: &[u8]) -> Result<(Rows, Rejected), WireError> {
    let (mut rows, mut rejected) = (Rows::default(), Rejected::default());
    let mut fields = Fields::new(request);
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            resource_spans(field.bytes()?, &mut rows, &mut rejected)?;
        }
    }
    Ok((rows, rejected))
}

fn resource_spans(
    message: &[u8],
    rows: &mut Rows,
    rejected: &mut Rejected,
) -> Result<(), WireError> {
    // Fields come in any order: the resource may stand behind its spans.
    let mut resource: &[u8] = &[];
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            resource = field.bytes()?;
        }
    }
    let resource = rows.resources.number(resource);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if field.number == 2 {
            scope_spans(field.bytes()?, resource, rows, rejected)?;
        }
    }
    Ok(())
}

fn scope_spans(
    message: &[u8],
    resource: u32,
    rows: &mut Rows,
    rejected: &mut Rejected,
) -> Result<(), WireError> {
    let mut scope: &[u8] = &[];
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if field.number == 1 {
            scope = field.bytes()?;
        }
    }
    let scope = rows.scopes.number(scope);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        if field.number == 2 {
            match span(field.bytes()?, rows)? {
                Ok((fixed, name)) => rows.push(&fixed, name, resource, scope),
                Err(why) => {
                    rows.take_back();
                    rejected.add(why);
                }
            }
        }
    }
    Ok(())
}

/// Reads a span: its fixed fields and its name, or why it is not taken. Its other fields go to the next row's columns.
fn span(message: &[u8], rows: &mut Rows) -> Result<Result<(Fixed, u32), &'static str>, WireError> {
    let row = rows.next();
    let mut fixed = Fixed::default();
    let mut end = 0;
    let mut name: &[u8] = &[];
    let mut ids = (None, None);
    rows.attributes.begin();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => ids.0 = field.bytes()?.try_into().ok(),
            2 => ids.1 = field.bytes()?.try_into().ok(),
            3 => {
                let state = field.text()?;
                if !state.is_empty() {
                    rows.trace_states.push(row, state.as_bytes());
                }
            }
            4 => match field.bytes()? {
                [] => {}
                parent => match parent.try_into() {
                    Ok(parent) => fixed.parent = parent,
                    Err(_) => return Ok(Err("a parent's span id has 8 bytes")),
                },
            },
            5 => name = field.text()?.as_bytes(),
            6 => fixed.kind = small(field.varint()?),
            7 => fixed.start = field.fixed64()?,
            8 => end = field.fixed64()?,
            9 => attribute(row, &field, rows)?,
            // Events, links, and how much was dropped of what.
            10..=14 => rows.details.extend(row, field.whole),
            15 => fixed.status = status(row, field.bytes()?, rows)?,
            16 => fixed.flags = field.fixed32()?,
            _ => {}
        }
    }
    let (Some(trace_id), Some(span_id)) = ids else {
        return Ok(Err("a trace id has 16 bytes and a span id 8"));
    };
    (fixed.trace_id, fixed.span_id) = (trace_id, span_id);
    if fixed.trace_id == [0; 16] || fixed.span_id == [0; 8] {
        return Ok(Err("an id of zeros is none"));
    }
    fixed.duration = end.saturating_sub(fixed.start);
    Ok(Ok((fixed, rows.names.number(name))))
}

/// An enumeration's number; what does not fit is unknown anyway.
fn small(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(0)
}

fn status(row: u32, message: &[u8], rows: &mut Rows) -> Result<u8, WireError> {
    let mut code = 0;
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            2 => {
                let text = field.text()?;
                if !text.is_empty() {
                    rows.messages.push(row, text.as_bytes());
                }
            }
            3 => code = small(field.varint()?),
            _ => {}
        }
    }
    Ok(code)
}

fn attribute(row: u32, field: &Field<'_>, rows: &mut Rows) -> Result<(), WireError> {
    let mut key = "";
    let mut value: &[u8] = &[];
    let mut fields = Fields::new(field.bytes()?);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => key = field.text()?,
            2 => value = field.bytes()?,
            _ => {}
        }
    }
    if let Some(value) = any_value(value)? {
        rows.attributes.push(row, key, value);
    }
    Ok(())
}

/// An `AnyValue`; `None` where it says nothing.
pub(super) fn any_value(message: &[u8]) -> Result<Option<Value<'_>>, WireError> {
    let mut fields = Fields::new(message);
    let mut value = None;
    while let Some(field) = fields.next()? {
        value = match (field.number, field.wire) {
            (1, Wire::Bytes(_)) => Some(Value::Text(field.text()?.as_bytes())),
            (2, Wire::Varint(flag)) => Some(Value::Bool(flag != 0)),
            (3, Wire::Varint(number)) => Some(Value::Int(number.cast_signed())),
            (4, Wire::Fixed64(bits)) => Some(Value::Double(f64::from_bits(bits))),
            (5..=7, Wire::Bytes(_)) => Some(Value::Other(message)),
            (1..=7, _) => return Err(WireError::Unexpected(field.number)),
            _ => value,
        };
    }
    Ok(value)
}
