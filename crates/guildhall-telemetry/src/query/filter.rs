//! One condition on a span.

use regex::bytes::Regex;

use crate::rows::Value;

/// What a condition is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// The service that made the span.
    Service,
    /// Its name: the operation.
    Name,
    /// OTLP's `SpanKind`, as a number.
    Kind,
    /// OTLP's `StatusCode`, as a number.
    Status,
    /// How long it took, in nanoseconds.
    Duration,
    /// Whether it has no parent: true or false.
    Root,
    /// What it, or its resource, says under a key.
    Attribute(String),
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is the same.
    Equal,
    /// It is there, and another.
    NotEqual,
    /// It is less.
    Less,
    /// It is more.
    Greater,
    /// It matches a regular expression, anywhere in it.
    Matches,
    /// It is there.
    Exists,
}

/// A test that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// Not a regular expression.
    #[error("{0:?} is not a regular expression: {1}")]
    Regex(String, String),
}

/// What a value must be.
///
/// The value that it is compared with is a text, as people write it. A number that is compared with one is compared as a
/// number; a text is compared as text, but for less and greater, which are about numbers only.
#[derive(Clone, Debug)]
pub struct Test {
    operator: Operator,
    text: String,
    number: Option<f64>,
    int: Option<i64>,
    flag: Option<bool>,
    regex: Option<Regex>,
}

impl Test {
    /// Compares with `text`.
    ///
    /// # Errors
    /// [`TestError`].
    pub fn new(operator: Operator, text: &str) -> Result<Self, TestError> {
        let regex = match operator {
            Operator::Matches => Some(
                Regex::new(text)
                    .map_err(|error| TestError::Regex(text.to_owned(), error.to_string()))?,
            ),
            _ => None,
        };
        Ok(Self {
            operator,
            number: text.parse().ok(),
            int: text.parse().ok(),
            flag: text.parse().ok(),
            text: text.to_owned(),
            regex,
        })
    }

    /// The text that nothing but itself passes, if that is what is tested.
    pub(crate) fn only(&self) -> Option<&str> {
        (self.operator == Operator::Equal).then_some(&self.text)
    }

    /// Whether a value passes.
    pub fn passes(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => self.text(text),
            Value::Int(number) => self.int(number),
            Value::Double(number) => self.double(number),
            Value::Bool(flag) => self.flag(flag),
            // Lists, maps and bytes are there, and nothing else.
            Value::Other(_) => self.operator == Operator::Exists,
        }
    }

    /// Whether a text passes.
    pub fn text(&self, text: &[u8]) -> bool {
        let number = || std::str::from_utf8(text).ok()?.parse::<f64>().ok();
        match self.operator {
            Operator::Equal => text == self.text.as_bytes(),
            Operator::NotEqual => text != self.text.as_bytes(),
            Operator::Less => number().zip(self.number).is_some_and(|(a, b)| a < b),
            Operator::Greater => number().zip(self.number).is_some_and(|(a, b)| a > b),
            Operator::Matches => self
                .regex
                .as_ref()
                .is_some_and(|regex| regex.is_match(text)),
            Operator::Exists => true,
        }
    }

    /// Whether a whole number passes.
    pub fn int(&self, number: i64) -> bool {
        match (self.operator, self.int) {
            (Operator::Equal, Some(other)) => number == other,
            (Operator::NotEqual, Some(other)) => number != other,
            (Operator::Less, Some(other)) => number < other,
            (Operator::Greater, Some(other)) => number > other,
            (Operator::Matches, _) => self.text(number.to_string().as_bytes()),
            // Compared with what is no whole number.
            #[expect(
                clippy::cast_precision_loss,
                reason = "beyond 2^53 nobody compares with a fraction"
            )]
            (_, None) => self.double(number as f64),
            (Operator::Exists, _) => true,
        }
    }

    /// Whether a number passes.
    pub fn double(&self, number: f64) -> bool {
        match (self.operator, self.number) {
            #[expect(clippy::float_cmp, reason = "the same number is what is asked for")]
            (Operator::Equal, Some(other)) => number == other,
            #[expect(clippy::float_cmp, reason = "the same number is what is asked for")]
            (Operator::NotEqual, Some(other)) => number != other,
            (Operator::Less, Some(other)) => number < other,
            (Operator::Greater, Some(other)) => number > other,
            (Operator::Matches, _) => self.text(number.to_string().as_bytes()),
            (Operator::NotEqual | Operator::Exists, _) => true,
            (Operator::Equal | Operator::Less | Operator::Greater, None) => false,
        }
    }

    /// Whether true or false passes.
    pub fn flag(&self, flag: bool) -> bool {
        match self.operator {
            Operator::Equal => self.flag == Some(flag),
            Operator::NotEqual => self.flag != Some(flag),
            Operator::Matches => self.text(flag.to_string().as_bytes()),
            Operator::Exists => true,
            Operator::Less | Operator::Greater => false,
        }
    }
}

/// One condition.
#[derive(Clone, Debug)]
pub struct Filter {
    /// What it is about.
    pub field: Field,
    /// What must hold.
    pub test: Test,
}
