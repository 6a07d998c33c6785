//! Streams cut at every place, and what the scanner says of them.

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
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
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
