//! A path's normal form: what routes are matched against and what backends are sent.
//!
//! Proxies and backends that read a path differently are how access rules get bypassed, so there
//! is one reading: percent-encoded unreserved characters are decoded, other escapes are kept with
//! upper-case digits (`%2F` stays distinct from `/`), empty elements are merged, `.` and `..` are
//! resolved. What has no safe reading is refused.

use std::borrow::Cow;

/// A path with no safe reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with `/`.
    #[error("the path does not begin with /")]
    NotAbsolute,
    /// `%` without two hexadecimal digits.
    #[error("the path has a % that is not followed by two hexadecimal digits")]
    BadEscape,
    /// A control character, a space or a backslash, escaped or not.
    #[error("the path has a control character, a space or a backslash")]
    Forbidden,
    /// `..` climbs above the root.
    #[error("the path climbs above its root")]
    AboveRoot,
}

/// The normal form of `path`, which is without query; borrowed if it is in normal form already.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, PathError> {
    if !path.starts_with('/') {
        return Err(PathError::NotAbsolute);
    }
    if is_normal(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    resolve(&unescape(path.as_bytes())?).map(Cow::Owned)
}

/// Whether nothing is to be done; errs on the side of work.
fn is_normal(path: &[u8]) -> bool {
    let mut before = 0;
    for &byte in path {
        let rewritten = match byte {
            b'%' | b'\\' | 0..=0x20 | 0x7f..=0xff => true,
            b'/' | b'.' => before == b'/',
            _ => false,
        };
        if rewritten {
            return false;
        }
        before = byte;
    }
    true
}

/// Brings escapes into their one form.
fn unescape(path: &[u8]) -> Result<String, PathError> {
    let mut out = String::with_capacity(path.len() + 16);
    let mut at = 0;
    while at < path.len() {
        let byte = path[at];
        at += 1;
        let (byte, escaped) = if byte == b'%' {
            let digits = path.get(at..at + 2).ok_or(PathError::BadEscape)?;
            at += 2;
            (hex(digits[0])? << 4 | hex(digits[1])?, true)
        } else {
            (byte, false)
        };
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            // An escaped NUL or line end is never meant well; an escaped space is ordinary.
            0..=0x1f | 0x7f | b'\\' => return Err(PathError::Forbidden),
            b' ' if !escaped => return Err(PathError::Forbidden),
            _ if escaped || !byte.is_ascii() => {
                out.push('%');
                out.push(char::from(DIGITS[usize::from(byte >> 4)]));
                out.push(char::from(DIGITS[usize::from(byte & 15)]));
            }
            _ => out.push(char::from(byte)),
        }
    }
    Ok(out)
}

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

fn hex(digit: u8) -> Result<u8, PathError> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
        .ok_or(PathError::BadEscape)
}

/// Resolves `.` and `..` and merges empty elements, as RFC 3986 section 5.2.4 does, except that a
/// path does not climb above its root.
fn resolve(path: &str) -> Result<String, PathError> {
    let mut out = String::with_capacity(path.len());
    let mut elements = path.split('/').skip(1).peekable();
    while let Some(element) = elements.next() {
        let last = elements.peek().is_none();
        match element {
            "" | "." => {
                if last && !out.ends_with('/') {
                    out.push('/');
                }
            }
            ".." => {
                let parent = out.rfind('/').ok_or(PathError::AboveRoot)?;
                out.truncate(parent);
                if last {
                    out.push('/');
                }
            }
            _ => {
                out.push('/');
                out.push_str(element);
            }
        }
    }
    if out.is_empty() {
        out.push('/');
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(path: &str, expected: &str) {
        let shown = normalise(path).map_or_else(|error| format!("{error:?}"), Cow::into_owned);
        assert_eq!(shown, expected, "{path}");
    }

    #[test]
    fn a_path_in_normal_form_is_borrowed() {
        for path in ["/", "/a", "/a/b/", "/a.b/c..d", "/a:b@c!$&'()*+,;="] {
            assert!(matches!(normalise(path), Ok(Cow::Borrowed(_))), "{path}");
        }
    }

    #[test]
    fn escapes_have_one_form() {
        check("/%61%2d%7E", "/a-~");
        check("/a%2fb", "/a%2Fb");
        check("/a%2Fb", "/a%2Fb");
        check("/%20%3f%23", "/%20%3F%23");
        check("/ü", "/%C3%BC");
        check("/%c3%bc", "/%C3%BC");
        check("/%2561", "/%2561");
    }

    #[test]
    fn dots_and_empty_elements_are_resolved() {
        check("/a//b", "/a/b");
        check("//", "/");
        check("/a/./b", "/a/b");
        check("/a/.", "/a/");
        check("/a/..", "/");
        check("/a/b/../c", "/a/c");
        check("/a/b/..", "/a/");
        check("/a/%2e%2e/b", "/b");
        check("/a/.%2E/./b//", "/b/");
        check("/a/.../b", "/a/.../b");
        check("/a/.b/..c", "/a/.b/..c");
    }

    #[test]
    fn what_has_no_safe_reading_is_refused() {
        for path in ["", "a", "*"] {
            check(path, "NotAbsolute");
        }
        for path in ["/%", "/%4", "/%zz", "/%+1"] {
            check(path, "BadEscape");
        }
        for path in ["/%00", "/%0a", "/a\\b", "/%5C", "/a b", "/\u{7f}"] {
            check(path, "Forbidden");
        }
        for path in ["/..", "/a/../..", "/%2e%2e/a", "//.."] {
            check(path, "AboveRoot");
        }
    }

    proptest! {
        #[test]
        fn the_normal_form_is_stable(path in "/(a|%2e|\\.|/|%2F|%41|%c3|b|%20){0,12}") {
            if let Ok(once) = normalise(&path) {
                prop_assert!(is_normal_form(&once), "{once}");
                let twice = normalise(&once).unwrap();
                prop_assert_eq!(&once, &twice);
            }
        }
    }

    fn is_normal_form(path: &str) -> bool {
        path.starts_with('/')
            && !path.contains("//")
            && !path.split('/').any(|e| e == "." || e == "..")
    }
}
