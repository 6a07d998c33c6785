//! The stream of a client's connection: however it is cut, it is read the same.
//!
//! The gateway's sources are compiled into the target: the whole crate would take minutes more.
#![no_main]

#[allow(dead_code, reason = "the gateway uses more of it")]
#[rustfmt::skip]
#[path = "../../crates/guildhall-gateway/src/scanner.rs"]
mod scanner;

use libfuzzer_sys::fuzz_target;
use scanner::{Scanner, Violation};

/// Longer than any input: of a longer head it depends on the cuts who refuses it, the scanner or hyper.
const MAX_HEAD: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let whole = scan([stream].into_iter());
    let (length, shorter) = (stream.len(), usize::from(*cut));
    assert_eq!(scan(stream.chunks(1)), whole, "byte by byte");
    assert_eq!(scan(stream.chunks(shorter.max(1))), whole, "by {shorter}");
    let (before, after) = stream.split_at(shorter.min(length));
    assert_eq!(scan([before, after].into_iter()), whole, "cut at {shorter}");
});

/// Messages that began, which of them is refused, and whether a head has begun. Of a head with two faults it depends on the
/// cuts which is told.
fn scan<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (u32, Option<u32>, bool) {
    let mut scanner = Scanner::new(MAX_HEAD);
    chunks.for_each(|chunk| scanner.scan(chunk));
    let violation = scanner.violation().map(|(message, violation)| {
        assert_eq!(Violation::from_code(violation as u8), Some(violation));
        assert!(!violation.detail().is_empty());
        message
    });
    (scanner.messages(), violation, scanner.in_head())
}
