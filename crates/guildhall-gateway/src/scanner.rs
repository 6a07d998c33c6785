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
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    fn scan(stream: &[u8], cuts: &[usize]) -> Scanner {
        let mut scanner = Scanner::new(16 * 1024);
        let mut from = 0;
        for cut in cuts {
            let to = (*cut).clamp(from, stream.len());
            scanner.scan(&stream[from..to]);
            from = to;
        }
        scanner.scan(&stream[from..]);
        scanner
    }

    /// The verdict must not depend on how the bytes were cut into reads.
    fn check(stream: &str, expected: Option<(u32, Violation)>) {
        let stream = stream.as_bytes();
        assert_eq!(
            scan(stream, &[]).violation(),
            expected,
            "{}",
            stream.escape_ascii()
        );
        let each: Vec<usize> = (0..stream.len()).collect();
        assert_eq!(
            scan(stream, &each).violation(),
            expected,
            "byte by byte: {}",
            stream.escape_ascii()
        );
    }

    fn refused(lines: &str, violation: Violation) {
        check(
            &format!("{}\r\n\r\n", lines.replace('|', "\r\n")),
            Some((1, violation)),
        );
    }

    fn accepted(lines: &str) {
        check(&format!("{}\r\n\r\n", lines.replace('|', "\r\n")), None);
    }

    #[test]
    fn ordinary_requests_pass() {
        accepted("GET / HTTP/1.1|Host: a");
        accepted("GET / HTTP/1.0");
        accepted("POST /x?y HTTP/1.1|Host: a|Content-Length: 0");
        accepted("GET / HTTP/1.1|host:a|accept: */*|x-empty:");
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            None,
        );
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n0\r\nT: v\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            None,
        );
    }

    #[test]
    fn framing_with_two_readings_is_refused() {
        let post = "POST / HTTP/1.1|Host: a|";
        refused(
            &format!("{post}Content-Length: 5|Transfer-Encoding: chunked"),
            Violation::LengthAndCoding,
        );
        refused(
            &format!("{post}Transfer-Encoding: chunked|Content-Length: 5"),
            Violation::LengthAndCoding,
        );
        for length in ["5|Content-Length: 5", "5|Content-Length: 6"] {
            refused(
                &format!("{post}Content-Length: {length}"),
                Violation::Length,
            );
        }
        for length in ["", "+5", "-1", "5, 5", "0x5", "5 5", "99999999999999999999"] {
            refused(
                &format!("{post}Content-Length: {length}"),
                Violation::Length,
            );
        }
        for coding in [
            "gzip",
            "gzip, chunked",
            "chunked, gzip",
            "chunked|Transfer-Encoding: chunked",
            "xchunked",
            "",
        ] {
            refused(
                &format!("{post}Transfer-Encoding: {coding}"),
                Violation::Coding,
            );
        }
        refused(
            "POST / HTTP/1.0|Transfer-Encoding: chunked",
            Violation::CodingInOldVersion,
        );
    }

    #[test]
    fn heads_with_two_readings_are_refused() {
        refused("GET / HTTP/1.1", Violation::HostMissing);
        refused("GET / HTTP/1.1|Host: a|Host: a", Violation::HostTwice);
        refused("GET / HTTP/1.1|Host: a|X: 1| 2", Violation::ObsFold);
        refused("GET / HTTP/1.1| Host: a", Violation::ObsFold);
        refused("GET / HTTP/1.1|Host: a|nocolon", Violation::HeaderName);
        refused("GET / HTTP/1.1|Host: a|X : 1", Violation::HeaderName);
        refused("GET / HTTP/1.1|Host: a|: 1", Violation::HeaderName);
        refused("GET  / HTTP/1.1|Host: a", Violation::RequestLine);
        refused("GET / x HTTP/1.1|Host: a", Violation::RequestLine);
        refused("GET / HTTP/2.0|Host: a", Violation::RequestLine);
        refused("GET /", Violation::RequestLine);
        refused("|GET / HTTP/1.1|Host: a", Violation::LeadingBytes);
        check(
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            Some((1, Violation::BareLineFeed)),
        );
        check(
            "GET / HTTP/1.1\r\nHost: a\n\n",
            Some((1, Violation::BareLineFeed)),
        );
        check(
            "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
            Some((1, Violation::BareLineFeed)),
        );
    }

    #[test]
    fn a_malformed_chunk_is_refused_with_its_message() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for body in [
            "x\r\n",
            "\r\n",
            ";x\r\n",
            "5\nhello\r\n0\r\n\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "5;a\nb\r\nhello\r\n",
            "0\r\n\n",
            "0\r\nT: v\n\r\n",
            "1234567890123456\r\n",
            "-1\r\n",
            "5 \0\r\n",
        ] {
            check(&format!("{head}{body}"), Some((1, Violation::Chunk)));
        }
    }

    #[test]
    fn the_message_that_is_refused_is_counted() {
        let good = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        check(
            &format!("{good}{good}GET / HTTP/1.1\r\n\r\n"),
            Some((3, Violation::HostMissing)),
        );
        let smuggled = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
        check(smuggled, Some((2, Violation::HostTwice)));
    }

    #[test]
    fn nothing_may_follow_an_upgrade_before_its_answer() {
        let upgrade =
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
        check(upgrade, None);
        check(
            &format!("{upgrade}x"),
            Some((2, Violation::EarlyTunnelData)),
        );
        let mut scanner = scan(upgrade.as_bytes(), &[]);
        scanner.tunnel();
        scanner.scan(b"\x81\x05hello");
        assert_eq!(scanner.violation(), None);
        let mut scanner = scan(upgrade.as_bytes(), &[]);
        scanner.resume();
        scanner.scan(b"GET / HTTP/1.1\r\n\r\n");
        assert_eq!(scanner.violation(), Some((2, Violation::HostMissing)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// However the bytes come in, the verdict is the same, and nothing panics.
        #[test]
        fn cuts_do_not_matter(
            pieces in vec(select(&[
                "GET / HTTP/1.1", "POST /x HTTP/1.1", "GET / HTTP/1.0", "\r\n", "\n", "\r", "\r\n\r\n", "Host: a",
                "Content-Length: 3", "Content-Length: 0", "Transfer-Encoding: chunked", "abc", "3", "0", ";x", " ",
                ":", "Upgrade: x", "\0", "\u{ff}", "5\r\nhello\r\n0\r\n\r\n", "X: y",
            ][..]), 0..24),
            cuts in vec(0usize..200, 0..8),
        ) {
            let stream = pieces.concat();
            let mut cuts = cuts;
            cuts.sort_unstable();
            let whole = scan(stream.as_bytes(), &[]);
            let cut = scan(stream.as_bytes(), &cuts);
            let each: Vec<usize> = (0..stream.len()).collect();
            let bytes = scan(stream.as_bytes(), &each);
            // A head that never ends is refused or not by its last line alone.
            prop_assert_eq!(whole.violation().map(|(message, _)| message), cut.violation().map(|(message, _)| message));
            prop_assert_eq!(whole.violation().map(|(message, _)| message), bytes.violation().map(|(message, _)| message));
        }

        #[test]
        fn arbitrary_bytes_do_not_panic(stream in vec(any::<u8>(), 0..300)) {
            scan(&stream, &[7, 50, 51]);
        }
    }
}
