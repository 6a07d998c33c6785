//! Sets of JSON types.

use std::fmt;

use serde_json::{Map, Value};

/// A set of JSON types. Every integer is a number, so `number` is two bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

const INTEGER: u8 = 1;
const FRACTION: u8 = 2;
const NUMBER: u8 = INTEGER | FRACTION;
const NAMES: [(&str, u8); 7] = [
    ("null", 4),
    ("boolean", 8),
    ("string", 16),
    ("array", 32),
    ("object", 64),
    ("number", NUMBER),
    ("integer", INTEGER),
];

impl Types {
    pub(super) const ANY: Self = Self(127);
    pub(super) const NULL: Self = Self(4);
    const BOOLEAN: Self = Self(8);

    /// What `type` says; any if it says nothing that is known.
    pub(super) fn of_schema(schema: &Map<String, Value>) -> Self {
        let named = |name: &str| {
            NAMES
                .iter()
                .find(|(n, _)| *n == name)
                .map_or(0, |(_, bits)| *bits)
        };
        let bits = match schema.get("type") {
            Some(Value::String(name)) => named(name),
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .fold(0, |bits, name| bits | named(name)),
            _ => 0,
        };
        if bits == 0 { Self::ANY } else { Self(bits) }
    }

    /// The type of a value.
    pub(super) fn of_value(value: &Value) -> Self {
        Self(match value {
            Value::Null => 4,
            Value::Bool(_) => 8,
            Value::String(_) => 16,
            Value::Array(_) => 32,
            Value::Object(_) => 64,
            Value::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0) => INTEGER,
            Value::Number(_) => FRACTION,
        })
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `values` are all that these types have.
    pub(super) fn are_all(self, values: &[&Value]) -> bool {
        let has = |value: Value| values.contains(&&value);
        self == Self::NULL || (self == Self::BOOLEAN && has(true.into()) && has(false.into()))
    }

    pub(super) fn overlaps(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The set in parts of one type each; any type is one part.
    pub(super) fn parts(self) -> impl Iterator<Item = Self> {
        let whole = (self == Self::ANY).then_some(self);
        let single = [4, 8, 16, 32, 64, NUMBER].map(|bits| Self(self.0 & bits));
        let single = single
            .into_iter()
            .filter(move |part| self != Self::ANY && part.0 != 0);
        whole.into_iter().chain(single)
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("any type");
        }
        let mut rest = self.0;
        let mut separator = "";
        for (name, bits) in NAMES {
            if rest & bits == bits {
                write!(f, "{separator}{name}")?;
                rest &= !bits;
                separator = " or ";
            }
        }
        if rest & FRACTION != 0 {
            write!(f, "{separator}number")
        } else {
            Ok(())
        }
    }
}
