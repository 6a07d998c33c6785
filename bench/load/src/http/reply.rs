//! Reads one reply out of a buffer: status, and where its body is. Bodies by length or in chunks; a body that ends with
//! its connection is refused, because the load keeps its connections.

use anyhow::{Context, Result, bail};

/// The most header fields that a server here sends.
const HEADERS: usize = 48;

/// A whole reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply<'a> {
    /// Its status.
    pub(crate) status: u16,
    /// Its body, out of its chunks.
    pub(crate) body: &'a [u8],
}

impl Reply<'_> {
    /// Whether the status is 2xx.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// A head that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The reply's status.
    pub(crate) status: u16,
    /// The head's own length.
    pub(crate) length: usize,
    /// How the body is framed.
    pub(crate) framing: Framing,
    /// Whether the server closes the connection after this reply.
    pub(crate) closes: bool,
}

/// How a body's end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By its length.
    Length(usize),
    /// By its last chunk.
    Chunked,
}

/// Reads the head at the buffer's beginning; nothing while it is not whole.
pub(crate) fn head(buffer: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) =
        response.parse(buffer).context("the reply is not HTTP")?
    else {
        return Ok(None);
    };
    let status = response.code.unwrap_or_default();
    let bodiless = matches!(status, 204 | 304);
    let mut framing = bodiless.then_some(Framing::Length(0));
    let mut closes = false;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value)?.trim().parse()?;
            framing.get_or_insert(Framing::Length(length));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing.get_or_insert(Framing::Chunked);
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes |= header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let Some(framing) = framing else {
        bail!("a reply of status {status} has neither a length nor chunks");
    };
    Ok(Some(Head {
        status,
        length,
        framing,
        closes,
    }))
}

/// Takes whole chunks from `buffer` into `body`; gives how many bytes were used, and whether the last chunk was there.
pub(crate) fn chunks(buffer: &[u8], body: &mut Vec<u8>) -> Result<(usize, bool)> {
    let mut used = 0;
    loop {
        let rest = &buffer[used..];
        let httparse::Status::Complete((start, length)) = httparse::parse_chunk_size(rest)
            .map_err(|_| anyhow::anyhow!("a chunk's size is not a number"))?
        else {
            return Ok((used, false));
        };
        let length = usize::try_from(length)?;
        let end = start + length;
        // Servers here send no trailers: the last chunk is followed by an empty line.
        if rest.len() < end + 2 {
            return Ok((used, false));
        }
        body.extend_from_slice(&rest[start..end]);
        used += end + 2;
        if length == 0 {
            return Ok((used, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc";
        assert_eq!(head(&text[..20]).unwrap(), None);
        let expect = Head {
            status: 200,
            length: text.len() - 3,
            framing: Framing::Length(3),
            closes: true,
        };
        assert_eq!(head(text).unwrap(), Some(expect));
    }

    #[test]
    fn no_body_follows_204_and_an_unframed_body_is_refused() {
        let framing = |text: &[u8]| head(text).unwrap().unwrap().framing;
        assert_eq!(
            framing(b"HTTP/1.1 204 No Content\r\n\r\n"),
            Framing::Length(0)
        );
        assert_eq!(
            framing(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
            Framing::Chunked
        );
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn chunks_come_in_pieces() {
        let text = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let mut body = Vec::new();
        assert_eq!(chunks(&text[..10], &mut body).unwrap(), (8, false));
        assert_eq!(
            chunks(&text[8..], &mut body).unwrap(),
            (text.len() - 8, true)
        );
        assert_eq!(body, b"abcde");
    }
}
