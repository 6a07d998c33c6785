//! Hostnames: of requests, of routes and of listeners.

use std::borrow::Cow;

/// The hosts that a route or a listener is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostPattern {
    /// Every host.
    Any,
    /// Hosts that end in a dot and this: `example.com` for `*.example.com`.
    Wildcard(Box<str>),
    /// This one.
    Exact(Box<str>),
}

impl HostPattern {
    /// Reads a validated hostname; none is any.
    pub fn new(hostname: Option<&str>) -> Self {
        match hostname {
            None => Self::Any,
            Some(hostname) => match hostname.strip_prefix("*.") {
                Some(suffix) => Self::Wildcard(suffix.into()),
                None => Self::Exact(hostname.into()),
            },
        }
    }

    /// Whether `host`, in normal form, is one of them.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => **name == *host,
            Self::Wildcard(suffix) => under(host, suffix),
        }
    }

    /// The hosts that are of both; `None` if there are none.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let (narrow, wide) = if self >= other {
            (self, other)
        } else {
            (other, self)
        };
        let fits = match (narrow, wide) {
            (_, Self::Any) => true,
            (Self::Exact(name), wide) => wide.matches(name),
            (Self::Wildcard(a), Self::Wildcard(b)) => {
                // Of two wildcards the longer is the narrower, which the order does not know.
                if a == b || under(a, b) {
                    return Some(Self::Wildcard(a.clone()));
                }
                return under(b, a).then(|| Self::Wildcard(b.clone()));
            }
            _ => false,
        };
        fits.then(|| narrow.clone())
    }
}

/// Whether `host` is a name below `suffix`.
fn under(host: &str, suffix: &str) -> bool {
    host.strip_suffix(suffix)
        .and_then(|rest| rest.strip_suffix('.'))
        .is_some_and(|rest| !rest.is_empty())
}

/// The host of an authority (`Host` header or `:authority`) in the form routes are matched
/// against: lower-case, without port and trailing dot. `None` if it is not an authority.
///
/// Borrowed unless a letter's case changes.
pub fn normalise(authority: &str) -> Option<Cow<'_, str>> {
    let host = if authority.starts_with('[') {
        let end = authority.find(']')?;
        port(&authority[end + 1..])?;
        authority[1..end].parse::<std::net::Ipv6Addr>().ok()?;
        &authority[..=end]
    } else {
        let (host, rest) = match authority.find(':') {
            Some(colon) => authority.split_at(colon),
            None => (authority, ""),
        };
        port(rest)?;
        let host = host.strip_suffix('.').unwrap_or(host);
        // Behind the root's dot there is no other: it would have no one form.
        let named = !host.is_empty() && host.len() <= 253 && !host.ends_with('.');
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if !named || !host.bytes().all(allowed) {
            return None;
        }
        host
    };
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some(Cow::Owned(host.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(host))
}

/// Checks what may follow a host: nothing, or a colon and a port (which may be empty).
fn port(rest: &str) -> Option<()> {
    let Some(digits) = rest.strip_prefix(':') else {
        return rest.is_empty().then_some(());
    };
    let number = digits.bytes().all(|b| b.is_ascii_digit());
    (number && (digits.is_empty() || digits.parse::<u16>().is_ok())).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> HostPattern {
        HostPattern::new(Some(text).filter(|t| !t.is_empty()))
    }

    #[test]
    fn a_host_ends_in_one_dot_at_most() {
        assert_eq!(normalise("Shop.").as_deref(), Some("shop"));
        for bad in ["shop..", "..", "."] {
            assert_eq!(normalise(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_or_more_labels() {
        for (of, host, expected) in [
            ("", "a.com", true),
            ("a.com", "a.com", true),
            ("a.com", "b.a.com", false),
            ("*.a.com", "b.a.com", true),
            ("*.a.com", "c.b.a.com", true),
            ("*.a.com", "a.com", false),
            ("*.a.com", "ba.com", false),
            ("*.a.com", ".a.com", false),
        ] {
            assert_eq!(pattern(of).matches(host), expected, "{of} {host}");
        }
    }

    #[test]
    fn an_intersection_is_the_narrower_of_the_two() {
        for (a, b, expected) in [
            ("", "", Some("")),
            ("", "a.com", Some("a.com")),
            ("*.a.com", "b.a.com", Some("b.a.com")),
            ("*.a.com", "*.b.a.com", Some("*.b.a.com")),
            ("*.a.com", "a.com", None),
            ("*.a.com", "*.c.com", None),
            ("b.com", "a.com", None),
        ] {
            let expected = expected.map(pattern);
            assert_eq!(pattern(a).intersect(&pattern(b)), expected, "{a} {b}");
            assert_eq!(pattern(b).intersect(&pattern(a)), expected, "{b} {a}");
        }
    }

    #[test]
    fn an_authority_gives_its_host() {
        for (authority, host) in [
            ("a.com", Some("a.com")),
            ("A.Com:8080", Some("a.com")),
            ("a.com.", Some("a.com")),
            ("a.com:", Some("a.com")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("[::1]:80", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("my_host", Some("my_host")),
            ("", None),
            (":80", None),
            ("a.com:80:81", None),
            ("a.com:99999", None),
            ("a.com:+80", None),
            ("user@a.com", None),
            ("a.com/x", None),
            ("a com", None),
            ("[::1", None),
            ("[x]", None),
            ("[::1]x", None),
        ] {
            assert_eq!(normalise(authority).as_deref(), host, "{authority}");
        }
    }
}
