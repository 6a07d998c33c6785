//! Writes requests as the bytes that go over the wire, into buffers that are used again.

use std::io::Write;

/// A GET of a path.
pub(crate) fn get(into: &mut Vec<u8>, path: &str) {
    into.extend_from_slice(b"GET ");
    into.extend_from_slice(path.as_bytes());
    into.extend_from_slice(b" HTTP/1.1\r\nhost: localhost\r\n\r\n");
}

/// A request with a body of this type.
pub(crate) fn with_body(
    into: &mut Vec<u8>,
    method: &str,
    path: &str,
    content_type: &str,
    body: &str,
) {
    // Writing into a vector cannot fail.
    let _ = write!(
        into,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
}

/// Base64 (RFC 4648, section 4), as etcd's JSON gateway wants its keys and values.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0, |group, byte| group << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sign = ALPHABET[group >> (18 - 6 * place) & 63];
            text.push(if place <= chunk.len() {
                char::from(sign)
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_the_rfc() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
