//! Reads along with hyper's parser and notes what hyper would quietly normalise.
//!
//! A proxy and its backend must see the same messages in a stream of bytes: where they disagree, a
//! request can be smuggled in another's body. hyper refuses much (differing `Content-Length`, a
//! space before the colon, NUL, `Transfer-Encoding` in HTTP/1.0) but accepts, among others,
//! `Content-Length` beside `Transfer-Encoding`, lines that end in a bare LF, several `Host`s, and
//! transfer codings that it passes on undone. This scanner sees the bytes before hyper does,
//! follows the framing by the strict reading, and notes the first message that has more than one.
//! The chain then answers that message with 400 and closes the connection.
//!
//! Pure: bytes in, violation out. It never changes the bytes.

use memchr::{memchr, memmem};

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Violation {
    BareLineFeed = 1,
    RequestLine,
    ObsFold,
    HeaderName,
    LengthAndCoding,
    Length,
    Coding,
    CodingInOldVersion,
    HostMissing,
    HostTwice,
    Chunk,
    EarlyTunnelData,
    LeadingBytes,
}

impl Violation {
    const ALL: [Self; 13] = [
        Self::BareLineFeed,
        Self::RequestLine,
        Self::ObsFold,
        Self::HeaderName,
        Self::LengthAndCoding,
        Self::Length,
        Self::Coding,
        Self::CodingInOldVersion,
        Self::HostMissing,
        Self::HostTwice,
        Self::Chunk,
        Self::EarlyTunnelData,
        Self::LeadingBytes,
    ];

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|violation| *violation as u8 == code)
    }

    /// What is wrong, for the client.
    pub(crate) const fn detail(self) -> &'static str {
        match self {
            Self::BareLineFeed => "a line ends in LF without CR",
            Self::RequestLine => "the request line is not `method target HTTP/1.x`",
            Self::ObsFold => "a header is folded over several lines",
            Self::HeaderName => "a header line has no valid name",
            Self::LengthAndCoding => "Content-Length and Transfer-Encoding exclude each other",
            Self::Length => "Content-Length must be given once, as a decimal number",
            Self::Coding => "the only Transfer-Encoding supported is chunked, once",
            Self::CodingInOldVersion => "HTTP/1.0 has no Transfer-Encoding",
            Self::HostMissing => "HTTP/1.1 needs a Host header",
            Self::HostTwice => "Host was given twice",
            Self::Chunk => "the chunked body is malformed",
            Self::EarlyTunnelData => "data followed before the upgrade was answered",
            Self::LeadingBytes => "the request does not begin with its method",
        }
    }
}

/// Where the scanner stands in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before or inside a head.
    Head,
    /// Inside a body of known length, of which this many bytes are to come.
    Body(u64),
    /// Inside a chunked body.
    Chunked(Chunk),
    /// After a message that asks for an upgrade: what comes next is not known yet.
    Upgrade,
    /// After a violation, or in a tunnel: nothing is looked at.
    Off,
}

/// Where in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// In the size, with its digits so far.
    Size {
        digits: u8,
        size: u64,
    },
    /// After the size, before the CR.
    Extension {
        size: u64,
    },
    /// After the CR of the size line.
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// In a trailer line; whether it is still empty.
    Trailer {
        empty: bool,
    },
    TrailerLf {
        empty: bool,
    },
}

/// Follows one direction of one connection.
#[derive(Debug)]
pub(crate) struct Scanner {
    state: State,
    /// A head that has begun but not ended, because it came in several reads.
    partial: Vec<u8>,
    /// Messages whose head has begun.
    messages: u32,
    violation: Option<(u32, Violation)>,
    /// The most bytes of a head that are kept; hyper refuses a longer one by itself.
    max_head: usize,
}

/// What is known of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Framing {
    body: State,
    upgrade: bool,
}

impl Scanner {
    pub(crate) fn new(max_head: usize) -> Self {
        Self {
            state: State::Head,
            partial: Vec::new(),
            messages: 0,
            violation: None,
            max_head,
        }
    }

    /// The first message (counted from 1) that has more than one reading, and why.
    pub(crate) fn violation(&self) -> Option<(u32, Violation)> {
        self.violation
    }

    /// How many messages have begun.
    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    /// Whether a head has begun and not ended.
    pub(crate) fn in_head(&self) -> bool {
        !self.partial.is_empty()
    }

    /// The connection carries another protocol from here on.
    pub(crate) fn tunnel(&mut self) {
        self.state = State::Off;
    }

    /// The upgrade that the last message asked for was refused: the next request may follow.
    pub(crate) fn resume(&mut self) {
        if self.state == State::Upgrade {
            self.state = State::Head;
        }
    }

    /// Looks at the next bytes of the stream.
    pub(crate) fn scan(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Off => return,
                State::Head => self.head(bytes),
                State::Body(left) => {
                    let here = left.min(bytes.len() as u64);
                    self.state = if left == here {
                        State::Head
                    } else {
                        State::Body(left - here)
                    };
                    &bytes[usize::try_from(here).unwrap_or(bytes.len())..]
                }
                State::Chunked(chunk) => self.chunked(chunk, bytes),
                // Whether this is a request or the new protocol is only known once the upgrade
                // was answered.
                State::Upgrade => {
                    self.messages += 1;
                    self.refuse(Violation::EarlyTunnelData);
                    return;
                }
            };
        }
    }

    fn refuse(&mut self, violation: Violation) {
        self.violation = Some((self.messages, violation));
        self.state = State::Off;
        self.partial = Vec::new();
    }

    fn head<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if self.partial.is_empty() {
            self.messages += 1;
            // hyper skips empty lines before a request; nothing but a broken client sends them.
            if !bytes[0].is_ascii_alphabetic() {
                self.refuse(Violation::LeadingBytes);
                return &[];
            }
            // The usual case: all of it is here, and read in one pass.
            match framing(bytes) {
                Ok(Some((end, framing))) => {
                    self.begin_body(framing);
                    return &bytes[end..];
                }
                Ok(None) => {}
                Err(violation) => {
                    self.refuse(violation);
                    return &[];
                }
            }
        }
        // The end may straddle two reads.
        let before = self.partial.len();
        self.partial.extend_from_slice(bytes);
        let from = before.saturating_sub(3);
        match memmem::find(&self.partial[from..], b"\r\n\r\n") {
            Some(at) => {
                let end = from + at + 4;
                let head = std::mem::take(&mut self.partial);
                match framing(&head[..end]) {
                    Ok(Some((_, framing))) => self.begin_body(framing),
                    Ok(None) => self.refuse(Violation::BareLineFeed),
                    Err(violation) => self.refuse(violation),
                }
                &bytes[end - before..]
            }
            None => {
                // A head that ends in a bare LF would never end for us, but would for hyper.
                let line_feed =
                    bare_line_feed(&self.partial[before.saturating_sub(1)..], before > 0);
                if line_feed {
                    self.refuse(Violation::BareLineFeed);
                } else if self.partial.len() > self.max_head {
                    // hyper refuses it and closes.
                    self.tunnel();
                    self.partial = Vec::new();
                }
                &[]
            }
        }
    }

    fn begin_body(&mut self, framing: Framing) {
        self.state = match framing {
            Framing {
                upgrade: true,
                body: State::Head,
            } => State::Upgrade,
            Framing { body, .. } => body,
        };
    }

    fn chunked<'b>(&mut self, chunk: Chunk, bytes: &'b [u8]) -> &'b [u8] {
        if let Chunk::Data { left } = chunk {
            let here = left.min(bytes.len() as u64);
            let next = if left == here {
                Chunk::DataCr
            } else {
                Chunk::Data { left: left - here }
            };
            self.state = State::Chunked(next);
            return &bytes[usize::try_from(here).unwrap_or(bytes.len())..];
        }
        match chunk.step(bytes[0]) {
            Some(Some(next)) => self.state = State::Chunked(next),
            Some(None) => self.state = State::Head,
            None => self.refuse(Violation::Chunk),
        }
        &bytes[1..]
    }
}

impl Chunk {
    /// One byte of framing: `None` if it may not stand here, `Some(None)` at the body's end.
    fn step(self, byte: u8) -> Option<Option<Self>> {
        let next = match (self, byte) {
            (Self::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                // 15 digits are 2^60 bytes, and leave no room for an overflow.
                let digit = u64::from(char::from(byte).to_digit(16)?);
                Self::Size {
                    digits: digits.checked_add(1).filter(|n| *n <= 15)?,
                    size: size << 4 | digit,
                }
            }
            (Self::Size { digits: 1.., size } | Self::Extension { size }, b'\r') => {
                Self::SizeLf { size }
            }
            (Self::Size { digits: 1.., size }, b';' | b' ' | b'\t') => Self::Extension { size },
            (Self::Extension { size }, b'\t' | 0x20..=0x7e | 0x80..) => Self::Extension { size },
            (Self::SizeLf { size: 0 }, b'\n') => Self::Trailer { empty: true },
            (Self::SizeLf { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::Size { digits: 0, size: 0 },
            (Self::Trailer { empty }, b'\r') => Self::TrailerLf { empty },
            (Self::Trailer { .. }, b'\t' | 0x20..=0x7e | 0x80..) => Self::Trailer { empty: false },
            (Self::TrailerLf { empty: true }, b'\n') => return Some(None),
            (Self::TrailerLf { .. }, b'\n') => Self::Trailer { empty: true },
            _ => return None,
        };
        Some(Some(next))
    }
}

/// Whether an LF stands without CR before it; the first byte is only context if `context`.
fn bare_line_feed(bytes: &[u8], context: bool) -> bool {
    let mut from = usize::from(context);
    while let Some(at) = bytes.get(from..).and_then(|rest| memchr(b'\n', rest)) {
        let at = from + at;
        if at == 0 || bytes[at - 1] != b'\r' {
            return true;
        }
        from = at + 1;
    }
    false
}

/// Reads a head by the strict reading, and says where it ends; `None` if it does not end here.
fn framing(bytes: &[u8]) -> Result<Option<(usize, Framing)>, Violation> {
    let mut head = Head::default();
    let mut violation = None;
    let mut rest = bytes;
    loop {
        let Some(end) = memchr(b'\n', rest) else {
            return Ok(None);
        };
        let first = rest.len() == bytes.len();
        let line = rest[..end].strip_suffix(b"\r");
        rest = &rest[end + 1..];
        let read = match line {
            None => Err(Violation::BareLineFeed),
            Some(line) if first => head.request_line(line),
            Some([]) => break,
            Some(line) => head.field(line),
        };
        violation = violation.or(read.err());
    }
    match violation {
        Some(violation) => Err(violation),
        None => Ok(Some((bytes.len() - rest.len(), head.framing()?))),
    }
}

/// What of a head decides about its message's framing.
#[derive(Debug, Default)]
struct Head {
    minor_version: u8,
    hosts: u32,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl Head {
    fn request_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        self.minor_version = version(line)?;
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
        if matches!(line[0], b' ' | b'\t') {
            return Err(Violation::ObsFold);
        }
        let colon = memchr(b':', line).ok_or(Violation::HeaderName)?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        // The names that matter differ in length, so that most lines cost one comparison.
        match name.len() {
            0 => return Err(Violation::HeaderName),
            4 if name.eq_ignore_ascii_case(b"host") => self.hosts += 1,
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Violation::Length);
                }
                self.length = Some(decimal(value.trim_ascii()).ok_or(Violation::Length)?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Violation::Coding);
                }
                self.chunked = true;
            }
            _ if matches!(name[colon - 1], b' ' | b'\t') => return Err(Violation::HeaderName),
            _ => {}
        }
        Ok(())
    }

    fn framing(&self) -> Result<Framing, Violation> {
        match (self.hosts, self.minor_version) {
            (0, 1) => return Err(Violation::HostMissing),
            (2.., _) => return Err(Violation::HostTwice),
            _ => {}
        }
        let body = match (self.length, self.chunked) {
            (Some(_), true) => return Err(Violation::LengthAndCoding),
            (_, true) if self.minor_version == 0 => return Err(Violation::CodingInOldVersion),
            (_, true) => State::Chunked(Chunk::Size { digits: 0, size: 0 }),
            (None | Some(0), false) => State::Head,
            (Some(length), false) => State::Body(length),
        };
        let upgrade = self.upgrade && self.minor_version == 1;
        Ok(Framing { body, upgrade })
    }
}

/// The minor version of a request line.
fn version(line: &[u8]) -> Result<u8, Violation> {
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let written = |word: Option<&[u8]>| word.is_some_and(|word| !word.is_empty());
    if !written(method) || !written(target) || words.next().is_some() {
        return Err(Violation::RequestLine);
    }
    match version {
        Some(b"HTTP/1.1") => Ok(1),
        Some(b"HTTP/1.0") => Ok(0),
        _ => Err(Violation::RequestLine),
    }
}

/// A decimal number of at most 18 digits and nothing else: no sign, no list.
fn decimal(text: &[u8]) -> Option<u64> {
    let fits = (1..=18).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    fits.then(|| {
        text.iter()
            .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests;
