//! JSON (RFC 8259) with a place for each value; what is not JSON is answered with what JSON would want.

use super::{
    Node, ParseError, Span, Value,
    build::{Members, Path, check_depth, twice},
    scalar,
};

/// Reads one JSON value.
pub(super) fn parse(text: &str) -> Result<Node, ParseError> {
    let mut scanner = Scanner {
        text,
        at: if text.starts_with('\u{feff}') { 3 } else { 0 },
        depth: 0,
        path: Path::default(),
    };
    scanner.space();
    if scanner.at == text.len() {
        return Err(scanner.refuse("the file is empty; write {} for nothing"));
    }
    let node = scanner.value()?;
    scanner.space();
    if scanner.at < text.len() {
        return Err(scanner.refuse("the value ends before this; a file holds one value"));
    }
    Ok(node)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    path: Path,
}

impl Scanner<'_> {
    fn refuse(&self, detail: &str) -> ParseError {
        self.refuse_at(self.at, detail)
    }

    fn refuse_at(&self, at: usize, detail: &str) -> ParseError {
        ParseError::at(self.text, at, detail).within(self.path.as_str())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Result<Node, ParseError> {
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object()?,
            Some(b'[') => self.array()?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'a'..=b'z' | b'A'..=b'Z') => self.word()?,
            _ => return Err(self.misplaced("a value")),
        };
        Ok(Node {
            value,
            span: Span::new(start, self.at),
        })
    }

    /// What stands where `wanted` should, with what is usually meant by it.
    fn misplaced(&self, wanted: &str) -> ParseError {
        let detail = match self.peek() {
            None => format!("the file ends where {wanted} should be; close what was opened"),
            Some(b'/' | b'#') => {
                "JSON has no comments; take it out, or make the file YAML or TOML".to_owned()
            }
            Some(b'\'') => "JSON writes texts in double quotes".to_owned(),
            Some(b'}' | b']') => {
                format!(
                    "{wanted} should be here; take out the comma before it, or add what is missing"
                )
            }
            Some(_) => format!("{wanted} should be here"),
        };
        self.refuse(&detail)
    }

    fn open(&mut self) -> Result<(), ParseError> {
        self.depth += 1;
        check_depth(self.text, self.at, self.depth).map_err(|e| e.within(self.path.as_str()))?;
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Behind an item or member: true where another one follows, false where `close` ended it all.
    fn more(&mut self, close: u8) -> Result<bool, ParseError> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                self.depth -= 1;
                Ok(false)
            }
            _ => Err(self.misplaced(if close == b'}' {
                "a comma or }"
            } else {
                "a comma or ]"
            })),
        }
    }

    fn array(&mut self) -> Result<Value, ParseError> {
        self.open()?;
        let mut items = Vec::new();
        if self.peek() == Some(b']') {
            self.more(b']')?;
            return Ok(Value::Array(items));
        }
        loop {
            self.path.enter(&items.len().to_string());
            items.push(self.value()?);
            self.path.leave();
            if !self.more(b']')? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn object(&mut self) -> Result<Value, ParseError> {
        self.open()?;
        let mut members = Members::default();
        if self.peek() == Some(b'}') {
            self.more(b'}')?;
            return Ok(Value::Object(Vec::new()));
        }
        loop {
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.misplaced("a key in double quotes"));
            }
            let key = self.string()?;
            let key_span = Span::new(start, self.at);
            self.path.enter(&key);
            if let Some(first) = members.get(&key) {
                let error = twice(self.text, &key, first.key_span, start);
                return Err(error.within(self.path.as_str()));
            }
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.misplaced("a colon"));
            }
            self.at += 1;
            self.space();
            let node = self.value()?;
            self.path.leave();
            members.push(key, key_span, node);
            if !self.more(b'}')? {
                return Ok(Value::Object(members.into_list()));
            }
        }
    }

    fn word(&mut self) -> Result<Value, ParseError> {
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
        {
            self.at += 1;
        }
        match self.text.get(start..self.at) {
            Some("null") => Ok(Value::Null),
            Some("true") => Ok(Value::Bool(true)),
            Some("false") => Ok(Value::Bool(false)),
            Some("NaN" | "Infinity") => Err(self.refuse_at(start, scalar::NOT_A_NUMBER)),
            _ => Err(self.refuse_at(
                start,
                "JSON knows the words null, true and false; write texts in double quotes",
            )),
        }
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.at;
        self.digits()?;
        if self.peek_at(whole) == Some(b'0') && self.at > whole + 1 {
            return Err(self.refuse_at(start, "a number has no leading zeros; take them out"));
        }
        let mut is_float = false;
        if self.peek() == Some(b'.') {
            is_float = true;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            is_float = true;
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        let number = if is_float {
            scalar::float(text)
        } else {
            scalar::integer(text)
        };
        number
            .map(Value::Number)
            .map_err(|detail| self.refuse_at(start, detail))
    }

    fn peek_at(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.misplaced("a digit"));
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, ParseError> {
        let opening = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let stop = |b: &u8| matches!(b, b'"' | b'\\' | 0..0x20);
            let Some(length) = rest.as_bytes().iter().position(stop) else {
                return Err(self.refuse_at(
                    opening,
                    "this text is not closed; end it with a double quote",
                ));
            };
            value.push_str(rest.get(..length).unwrap_or_default());
            self.at += length;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(value);
                }
                Some(b'\\') => value.push(self.escape()?),
                _ => {
                    return Err(self.refuse(
                        r"a text has no line breaks or control characters; close it, or write them as \n, \t, \u0000",
                    ));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, ParseError> {
        let start = self.at;
        let escaped = self.peek_at(start + 1);
        self.at += 2;
        Ok(match escaped {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hexadecimal(start)?;
                let code = if (0xd800..0xdc00).contains(&first)
                    && self.text.get(self.at..self.at + 2) == Some("\\u")
                {
                    self.at += 2;
                    let second = self.hexadecimal(start)?;
                    let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
                    low.map(|low| 0x10000 + ((first - 0xd800) << 10) + low)
                } else {
                    Some(first)
                };
                let character = code.and_then(char::from_u32);
                character.ok_or_else(|| {
                    self.refuse_at(
                        start,
                        "half of a surrogate pair; write the character itself",
                    )
                })?
            }
            _ => {
                return Err(self.refuse_at(
                    start,
                    r#"after a backslash comes one of " \ / b f n r t u; write a backslash itself as \\"#,
                ));
            }
        })
    }

    fn hexadecimal(&mut self, start: usize) -> Result<u32, ParseError> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        code.ok_or_else(|| self.refuse_at(start, r"\u takes four hexadecimal digits"))
    }
}
