//! Reading events from bytes as they come, cut anywhere.
//!
//! Pure, bounded and strict about nothing but size: the standard says how any text is to be read,
//! so that there is no malformed stream, only a too long one.

use std::collections::VecDeque;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its name; `message` if the stream gives none.
    pub event: String,
    /// The `id` that stands on this very event; unlike in the standard an id does not carry over
    /// to the events after it, because here it says what the event completes.
    pub id: Option<String>,
    /// The lines of data, joined by line breaks.
    pub data: String,
}

/// An event larger than the reader takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an event of more than {limit} bytes: the stream is refused; raise the limit if documents are that large"
)]
pub struct TooLong {
    /// The most bytes of one event.
    pub limit: usize,
}

/// Cuts a stream of bytes into events.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    line: Vec<u8>,
    after_return: bool,
    started: bool,
    event: String,
    id: Option<String>,
    data: String,
    has_data: bool,
    size: usize,
    retry: Option<u64>,
    ready: VecDeque<Frame>,
}

impl Decoder {
    /// A decoder that refuses events of more than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            after_return: false,
            started: false,
            event: String::new(),
            id: None,
            data: String::new(),
            has_data: false,
            size: 0,
            retry: None,
            ready: VecDeque::new(),
        }
    }

    /// Takes the next bytes of the stream. After an error the stream is of no more use.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), TooLong> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|b| matches!(b, b'\r' | b'\n'));
            let part = &bytes[..end.unwrap_or(bytes.len())];
            self.size += part.len();
            if self.size > self.limit {
                return Err(TooLong { limit: self.limit });
            }
            let Some(end) = end else {
                self.line.extend_from_slice(part);
                return Ok(());
            };
            self.after_return = bytes[end] == b'\r';
            if self.line.is_empty() {
                self.end_line(part);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(part);
                self.end_line(&line);
                line.clear();
                self.line = line;
            }
            bytes = &bytes[end + 1..];
        }
        Ok(())
    }

    /// The next whole event.
    pub fn next_frame(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    /// The reconnection time in milliseconds that the stream last asked for.
    pub fn retry(&self) -> Option<u64> {
        self.retry
    }

    fn end_line(&mut self, line: &[u8]) {
        let line = if std::mem::replace(&mut self.started, true) {
            line
        } else {
            line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
        };
        if line.is_empty() {
            return self.dispatch();
        }
        let line = String::from_utf8_lossy(line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            // A comment counts for nothing once it is over.
            "" if !self.has_data => self.size = 0,
            "event" => self.event = value.to_owned(),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                self.retry = value.parse().ok();
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        self.size = 0;
        let mut event = std::mem::take(&mut self.event);
        let (id, data) = (self.id.take(), std::mem::take(&mut self.data));
        if std::mem::take(&mut self.has_data) {
            if event.is_empty() {
                "message".clone_into(&mut event);
            }
            self.ready.push_back(Frame { event, id, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(chunks: &[&[u8]]) -> Vec<Frame> {
        let mut decoder = Decoder::new(1 << 16);
        for chunk in chunks {
            decoder.push(chunk).unwrap();
        }
        std::iter::from_fn(|| decoder.next_frame()).collect()
    }

    fn frame(event: &str, id: Option<&str>, data: &str) -> Frame {
        Frame {
            event: event.into(),
            id: id.map(Into::into),
            data: data.into(),
        }
    }

    #[test]
    fn the_standards_examples() {
        let text = b"\xef\xbb\xbfdata: YHOO\ndata: +2\ndata: 10\n\n: comment\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        assert_eq!(
            frames(&[text]),
            [
                frame("message", None, "YHOO\n+2\n10"),
                frame("message", Some("1"), "first event"),
                frame("message", Some(""), "second event"),
                frame("message", None, " third event"),
            ]
        );
        assert_eq!(
            frames(&[b"data\n\ndata\ndata\n\ndata:"]),
            [frame("message", None, ""), frame("message", None, "\n")]
        );
        // An event without data is none, and one that the stream breaks off is none either.
        assert_eq!(frames(&[b"event: x\nid: 1\n\ndata: y\n"]), []);
    }

    #[test]
    fn every_cut_gives_the_same_events() {
        let text = "event: added\r\nid: 1.2\r\ndata: {\"a\": \"\u{e4}\"}\r\n\r\n:\n\nevent: bookmark\rdata: {}\r\rretry: 250\ndata: x\n\n";
        let text = text.as_bytes();
        let whole = frames(&[text]);
        assert_eq!(whole.len(), 3);
        for cut in 0..=text.len() {
            assert_eq!(frames(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(frames(&bytes), whole);
    }

    #[test]
    fn random_bytes_never_break_it_nor_grow_it() {
        let mut random = fastrand::Rng::with_seed(7);
        let alphabet = b"data:event id\r\n\n\n\0\xff\xc3{}: ";
        for _ in 0..2_000 {
            let length = random.usize(..300);
            let text: Vec<u8> = (0..length)
                .map(|_| alphabet[random.usize(..alphabet.len())])
                .collect();
            let mut whole = Decoder::new(64);
            let outcome = whole.push(&text);
            let mut cut = Decoder::new(64);
            let cut_outcome = text
                .chunks(random.usize(1..9))
                .try_for_each(|chunk| cut.push(chunk));
            assert_eq!(outcome.is_ok(), cut_outcome.is_ok());
            assert!(whole.line.len() + whole.data.len() <= 64);
            loop {
                let (a, b) = (whole.next_frame(), cut.next_frame());
                if a.is_none() && b.is_none() {
                    break;
                }
                assert_eq!(a, b);
            }
        }
    }

    #[test]
    fn a_long_event_is_refused_and_comments_do_not_add_up() {
        let mut decoder = Decoder::new(16);
        assert_eq!(decoder.push(&[b'x'; 17]), Err(TooLong { limit: 16 }));
        let mut decoder = Decoder::new(16);
        assert_eq!(
            decoder.push(b"data: 12345\ndata: 12345\n"),
            Err(TooLong { limit: 16 })
        );
        let mut decoder = Decoder::new(16);
        for _ in 0..100 {
            decoder.push(b": keep alive\n").unwrap();
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let mut out = Vec::new();
        super::super::encode("added", Some("1.2"), b"{\"a\":\n 1}", &mut out);
        assert_eq!(
            frames(&[&out]),
            [frame("added", Some("1.2"), "{\"a\":\n 1}")]
        );
    }
}
