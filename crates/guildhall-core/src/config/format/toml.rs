//! TOML 1 with a place for each value.
//!
//! Dates and times become texts, as they were written: no other format has them.

use ::toml::de::{DeTable, DeValue};

use super::{
    Member, Node, ParseError, Span, Value,
    build::{Path, check_depth},
    parsed::MAX_DEPTH,
    scalar,
};

/// Reads a TOML document.
pub(super) fn parse(text: &str) -> Result<Node, ParseError> {
    check_nesting(text)?;
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        ParseError::at(text, at, explain(error.message()))
    })?;
    let mut walk = Walk {
        text,
        path: Path::default(),
        depth: 0,
    };
    let span = table.span();
    let value = walk.table(table.into_inner(), span.start)?;
    Ok(Node {
        value,
        span: Span::new(span.start, span.end),
    })
}

/// Refuses what would nest far too deep before the parser makes an object of each part of a key, which inline tables
/// multiply: dropping thousands of objects in each other takes more stack than there is. Coarse, as dots of numbers
/// count too; the walk over what was parsed is exact.
fn check_nesting(text: &str) -> Result<(), ParseError> {
    let bytes = text.as_bytes();
    let mut open: Vec<usize> = Vec::new();
    let (mut above, mut dots, mut at) = (0, 0, 0);
    while let Some(byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        at += match byte {
            b'#' => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
            b'"' | b'\'' => quoted(rest, *byte),
            b'.' => {
                dots += 1;
                1
            }
            b'[' | b'{' => {
                open.push(dots + 1);
                above += dots + 1;
                dots = 0;
                1
            }
            b']' | b'}' => {
                above -= open.pop().unwrap_or(0);
                dots = 0;
                1
            }
            b',' | b'\n' => {
                dots = 0;
                1
            }
            _ => 1,
        };
        if above + dots > 2 * MAX_DEPTH {
            return check_depth(text, at, above + dots);
        }
    }
    Ok(())
}

/// How many bytes the text in quotes takes that `rest` begins with.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let triple = [quote; 3];
    let (opening, closing) = if rest.starts_with(&triple) {
        (3, triple.as_slice())
    } else {
        (1, std::slice::from_ref(&quote))
    };
    let mut at = opening;
    while let Some(byte) = rest.get(at) {
        if *byte == b'\\' && quote == b'"' {
            at += 2;
        } else if rest.get(at..).is_some_and(|rest| rest.starts_with(closing)) {
            return at + closing.len();
        } else if *byte == b'\n' && opening == 1 {
            return at;
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The parser's words, with the next move.
fn explain(message: &str) -> String {
    let message = message.trim().replace('\n', "; ");
    let lower = message.to_lowercase();
    let remedy = if lower.contains("duplicate key") {
        "keep one of the two"
    } else if lower.contains("recurs") {
        "write it flatter"
    } else if lower.contains("string") || lower.contains("quote") {
        "write texts in double quotes, and a backslash as \\\\ in them"
    } else {
        "a line is `key = value`, `[table]` or a comment behind #"
    };
    format!("{message}; {remedy}")
}

struct Walk<'a> {
    text: &'a str,
    path: Path,
    depth: usize,
}

impl Walk<'_> {
    fn refuse(&self, at: usize, detail: &str) -> ParseError {
        ParseError::at(self.text, at, detail).within(self.path.as_str())
    }

    fn open(&mut self, at: usize) -> Result<(), ParseError> {
        self.depth += 1;
        check_depth(self.text, at, self.depth).map_err(|e| e.within(self.path.as_str()))
    }

    /// The parser sorts members by key; the keys' places give back the order in which they were written.
    fn table(&mut self, table: DeTable<'_>, at: usize) -> Result<Value, ParseError> {
        self.open(at)?;
        let mut members = Vec::with_capacity(table.len());
        for (key, value) in table {
            let key_span = key.span();
            let key = key.into_inner().into_owned();
            self.path.enter(&key);
            let span = value.span();
            let node = self.node(value.into_inner(), span)?;
            self.path.leave();
            members.push(Member {
                key,
                key_span: Span::new(key_span.start, key_span.end),
                node,
            });
        }
        members.sort_by_key(|member| member.key_span.start);
        self.depth -= 1;
        Ok(Value::Object(members))
    }

    fn node(
        &mut self,
        value: DeValue<'_>,
        span: std::ops::Range<usize>,
    ) -> Result<Node, ParseError> {
        let value = match value {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Boolean(value) => Value::Bool(value),
            DeValue::Datetime(_) => {
                Value::String(self.text.get(span.clone()).unwrap_or_default().to_owned())
            }
            DeValue::Integer(integer) => {
                let text = integer.as_str();
                let (negative, digits) = match text.strip_prefix('-') {
                    Some(digits) => (true, digits),
                    None => (false, text.strip_prefix('+').unwrap_or(text)),
                };
                let number = scalar::digits(digits, integer.radix(), negative);
                let number = number.and_then(|n| {
                    if n.is_i64() {
                        Ok(n)
                    } else {
                        Err(scalar::TOO_LONG)
                    }
                });
                Value::Number(number.map_err(|detail| self.refuse(span.start, detail))?)
            }
            DeValue::Float(float) => {
                let number = match float.as_str() {
                    text if text.contains("inf") || text.contains("nan") => {
                        Err(scalar::NOT_A_NUMBER)
                    }
                    text => scalar::float(text),
                };
                Value::Number(number.map_err(|detail| self.refuse(span.start, detail))?)
            }
            DeValue::Array(items) => {
                self.open(span.start)?;
                let mut list = Vec::with_capacity(items.len());
                for (n, item) in items.into_iter().enumerate() {
                    self.path.enter(&n.to_string());
                    let span = item.span();
                    list.push(self.node(item.into_inner(), span)?);
                    self.path.leave();
                }
                self.depth -= 1;
                Value::Array(list)
            }
            DeValue::Table(table) => self.table(table, span.start)?,
        };
        Ok(Node {
            value,
            span: Span::new(span.start, span.end),
        })
    }
}
