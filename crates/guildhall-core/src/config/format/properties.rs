//! Java's properties: `key=value` lines, as `java.util.Properties` reads them, in UTF-8.
//!
//! The tree is one object whose values are texts and whose keys are as they were written: `a.b` is one key. Unlike in
//! Java a key given twice is refused, as is a line without a key.

use super::{
    Node, ParseError, Span, Value,
    build::{Members, Path, twice},
};

/// Reads a properties file.
pub(super) fn parse(text: &str) -> Result<Node, ParseError> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut reader = Reader { text, at: start };
    let mut members = Members::default();
    while let Some((key, key_span, value)) = reader.line()? {
        if let Some(first) = members.get(&key) {
            let mut path = Path::default();
            path.enter(&key);
            let error = twice(text, &key, first.key_span, key_span.start as usize);
            return Err(error.within(path.as_str()));
        }
        members.push(key, key_span, value);
    }
    Ok(Node {
        value: Value::Object(members.into_list()),
        span: Span::new(start, text.len()),
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn skip(&mut self, wanted: fn(char) -> bool) {
        while let Some(c) = self.peek().filter(|c| wanted(*c)) {
            self.at += c.len_utf8();
        }
    }

    /// The next entry, past blank lines and comments.
    fn line(&mut self) -> Result<Option<(String, Span, Node)>, ParseError> {
        loop {
            self.skip(|c| is_blank(c) || is_end(c));
            match self.peek() {
                None => return Ok(None),
                Some('#' | '!') => self.skip(|c| !is_end(c)),
                Some(_) => break,
            }
        }
        let start = self.at;
        let key = self.piece(|c| is_blank(c) || c == '=' || c == ':')?;
        let key_span = Span::new(start, self.at);
        if key.is_empty() {
            return Err(ParseError::at(
                self.text,
                start,
                "a key is missing here; a line is `key=value`, a comment begins with #",
            ));
        }
        self.space();
        if matches!(self.peek(), Some('=' | ':')) {
            self.at += 1;
            self.space();
        }
        let start = self.at;
        let value = Value::String(self.piece(|_| false)?);
        let span = Span::new(start, self.at);
        Ok(Some((key, key_span, Node { value, span })))
    }

    /// Blanks and line breaks that a backslash takes away.
    fn space(&mut self) {
        loop {
            self.skip(is_blank);
            if !self.continued() {
                return;
            }
        }
    }

    /// Passes over a backslash at a line's end, and the break.
    fn continued(&mut self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        for end in ["\\\r\n", "\\\n", "\\\r"] {
            if rest.starts_with(end) {
                self.at += end.len();
                return true;
            }
        }
        false
    }

    /// Text up to the line's end or what `stops` it, unescaped.
    fn piece(&mut self, stops: fn(char) -> bool) -> Result<String, ParseError> {
        let mut piece = String::new();
        while let Some(c) = self.peek().filter(|c| !is_end(*c) && !stops(*c)) {
            if c != '\\' {
                piece.push(c);
                self.at += c.len_utf8();
            } else if self.continued() {
                self.skip(is_blank);
            } else {
                self.escape(&mut piece)?;
            }
        }
        Ok(piece)
    }

    fn escape(&mut self, piece: &mut String) -> Result<(), ParseError> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.peek() else {
            return Ok(());
        };
        self.at += c.len_utf8();
        piece.push(match c {
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'f' => '\u{c}',
            'u' => {
                let first = self.unit(start)?;
                let mut units = vec![first];
                if (0xd800..0xdc00).contains(&first)
                    && self.text.get(self.at..self.at + 2) == Some("\\u")
                {
                    self.at += 2;
                    units.push(self.unit(start)?);
                }
                let mut decoded = char::decode_utf16(units);
                match (decoded.next(), decoded.next()) {
                    (Some(Ok(c)), None) => c,
                    _ => {
                        return Err(ParseError::at(
                            self.text,
                            start,
                            "half of a surrogate pair; write the character itself",
                        ));
                    }
                }
            }
            other => other,
        });
        Ok(())
    }

    fn unit(&mut self, start: usize) -> Result<u16, ParseError> {
        let digits = self.text.get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        self.at += 4;
        digits
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
            .ok_or_else(|| {
                ParseError::at(
                    self.text,
                    start,
                    r"\u takes four hexadecimal digits; write a backslash itself as \\",
                )
            })
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

fn is_end(c: char) -> bool {
    matches!(c, '\n' | '\r')
}

/// A key as a properties file writes it.
pub(crate) fn escape_key(key: &str) -> String {
    let mut written = String::with_capacity(key.len());
    for (n, c) in key.chars().enumerate() {
        match c {
            '=' | ':' | ' ' => written.extend(['\\', c]),
            '#' | '!' if n == 0 => written.extend(['\\', c]),
            _ => push_escaped(&mut written, c),
        }
    }
    written
}

/// A value as a properties file writes it.
pub(crate) fn escape_value(value: &str) -> String {
    let mut written = String::with_capacity(value.len());
    for (n, c) in value.chars().enumerate() {
        match c {
            ' ' if n == 0 => written.push_str("\\ "),
            _ => push_escaped(&mut written, c),
        }
    }
    written
}

fn push_escaped(written: &mut String, c: char) {
    match c {
        '\\' => written.push_str("\\\\"),
        '\n' => written.push_str("\\n"),
        '\r' => written.push_str("\\r"),
        '\t' => written.push_str("\\t"),
        '\u{c}' => written.push_str("\\f"),
        // A byte order mark at the file's start would be none of the text.
        c if c.is_control() || c == '\u{feff}' => {
            written.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
        c => written.push(c),
    }
}
