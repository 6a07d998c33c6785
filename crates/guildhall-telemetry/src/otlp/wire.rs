//! Protobuf's wire format, read without copies.

/// Bytes that are not protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// They end in the middle of a field.
    #[error("the message ends in the middle of a field")]
    Truncated,
    /// A number of more than ten bytes.
    #[error("a number of the message has more than ten bytes")]
    Varint,
    /// A field of a type that protobuf does not have (any more).
    #[error("field {field} has the wire type {wire}, which is none that OTLP uses")]
    Type {
        /// The field's number.
        field: u64,
        /// The type.
        wire: u8,
    },
    /// A field that is of another type in OTLP.
    #[error("field {0} is of another type than OTLP says")]
    Unexpected(u64),
    /// A text that is not UTF-8.
    #[error("field {0} is not UTF-8")]
    Utf8(u64),
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// A field with all its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) wire: Wire<'a>,
    /// The field as it came, with its tag.
    pub(super) whole: &'a [u8],
}

impl<'a> Field<'a> {
    pub(super) fn bytes(&self) -> Result<&'a [u8], WireError> {
        match self.wire {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError::Unexpected(self.number)),
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| WireError::Utf8(self.number))
    }

    pub(super) fn varint(&self) -> Result<u64, WireError> {
        match self.wire {
            Wire::Varint(value) => Ok(value),
            _ => Err(WireError::Unexpected(self.number)),
        }
    }

    pub(super) fn fixed64(&self) -> Result<u64, WireError> {
        match self.wire {
            Wire::Fixed64(value) => Ok(value),
            _ => Err(WireError::Unexpected(self.number)),
        }
    }

    pub(super) fn fixed32(&self) -> Result<u32, WireError> {
        match self.wire {
            Wire::Fixed32(value) => Ok(value),
            _ => Err(WireError::Unexpected(self.number)),
        }
    }
}

/// The fields of a message, in their order.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The next one; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, WireError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let begin = self.0;
        let tag = self.varint()?;
        let number = tag >> 3;
        let wire = match (tag & 7) as u8 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
                let (bytes, rest) = self
                    .0
                    .split_at_checked(length)
                    .ok_or(WireError::Truncated)?;
                self.0 = rest;
                Wire::Bytes(bytes)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            wire => {
                return Err(WireError::Type {
                    field: number,
                    wire,
                });
            }
        };
        let length = begin.len() - self.0.len();
        Ok(Some(Field {
            number,
            wire,
            whole: begin.get(..length).unwrap_or_default(),
        }))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for (at, byte) in self.0.iter().enumerate() {
            if at == 10 {
                return Err(WireError::Varint);
            }
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = self.0.get(at + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(WireError::Truncated)
    }
}
