//! The conditions of a match beyond its path, compiled.

use std::cmp::Reverse;

use http::{HeaderMap, HeaderName, Method};
use regex::bytes::Regex;
use smallvec::SmallVec;

use super::RequestHead;
use crate::route::{
    pattern,
    spec::{RouteMatch, ValueMatch, ValueMatchType},
};

/// Method, headers and query parameters that a request must have.
#[derive(Debug)]
pub(super) struct Test {
    method: Option<Method>,
    headers: Box<[(HeaderName, Value)]>,
    query: Box<[(Box<[u8]>, Value)]>,
}

#[derive(Debug)]
enum Value {
    Exact(Box<[u8]>),
    Pattern(Regex),
}

/// Sorts the more specific first: method, then headers, then query parameters.
pub(super) type Specificity = (Reverse<bool>, Reverse<usize>, Reverse<usize>);

impl Test {
    /// `None` for what validation would have refused: a rule that cannot be read matches nothing.
    pub(super) fn compile(of: &RouteMatch) -> Option<Self> {
        let method = match of.method {
            Some(method) => Some(Method::from_bytes(method.as_str().as_bytes()).ok()?),
            None => None,
        };
        let mut headers: Vec<(HeaderName, Value)> = Vec::new();
        for test in &of.headers {
            let name = HeaderName::from_bytes(test.name.as_bytes()).ok()?;
            // Of several with one name only the first counts.
            if headers.iter().all(|(known, _)| *known != name) {
                headers.push((name, Value::compile(test)?));
            }
        }
        let mut query: Vec<(Box<[u8]>, Value)> = Vec::new();
        for test in &of.query_params {
            let name = test.name.as_bytes();
            if query.iter().all(|(known, _)| **known != *name) {
                query.push((name.into(), Value::compile(test)?));
            }
        }
        Some(Self {
            method,
            headers: headers.into(),
            query: query.into(),
        })
    }

    pub(super) fn specificity(&self) -> Specificity {
        (
            Reverse(self.method.is_some()),
            Reverse(self.headers.len()),
            Reverse(self.query.len()),
        )
    }

    pub(super) fn holds(&self, head: &RequestHead<'_>) -> bool {
        self.method
            .as_ref()
            .is_none_or(|method| method == head.method)
            && self
                .headers
                .iter()
                .all(|(name, value)| value.holds_for_header(head.headers, name))
            && self.query.iter().all(|(name, value)| {
                head.query
                    .and_then(|query| parameter(query, name))
                    .is_some_and(|given| value.holds_encoded(given))
            })
    }
}

impl Value {
    fn compile(test: &ValueMatch) -> Option<Self> {
        match test.match_type {
            ValueMatchType::Exact => Some(Self::Exact(test.value.as_bytes().into())),
            ValueMatchType::RegularExpression => {
                pattern::compile(&test.value).ok().map(Self::Pattern)
            }
        }
    }

    fn holds(&self, given: &[u8]) -> bool {
        match self {
            Self::Exact(value) => **value == *given,
            Self::Pattern(regex) => regex.is_match(given),
        }
    }

    /// A repeated header counts as one value joined by commas (RFC 9110 section 5.3).
    fn holds_for_header(&self, headers: &HeaderMap, name: &HeaderName) -> bool {
        let mut values = headers.get_all(name).iter();
        let Some(first) = values.next() else {
            return false;
        };
        let Some(second) = values.next() else {
            return self.holds(first.as_bytes());
        };
        let mut joined: SmallVec<[u8; 256]> = SmallVec::from_slice(first.as_bytes());
        for value in std::iter::once(second).chain(values) {
            joined.push(b',');
            joined.extend_from_slice(value.as_bytes());
        }
        self.holds(&joined)
    }

    /// Compares a query parameter's value as it stands in the query.
    fn holds_encoded(&self, given: &[u8]) -> bool {
        if !given.iter().any(|b| matches!(b, b'%' | b'+')) {
            return self.holds(given);
        }
        match self {
            Self::Exact(value) => decode(given).eq(value.iter().copied()),
            Self::Pattern(regex) => {
                let decoded: SmallVec<[u8; 256]> = decode(given).collect();
                regex.is_match(&decoded)
            }
        }
    }
}

/// The first value of the parameter `name`, still encoded.
fn parameter<'a>(query: &'a str, name: &[u8]) -> Option<&'a [u8]> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let same = key.as_bytes() == name || decode(key.as_bytes()).eq(name.iter().copied());
        same.then_some(value.as_bytes())
    })
}

/// Decodes a part of a query as forms encode it; an escape that is none stands for itself.
fn decode(encoded: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let byte = *encoded.get(at)?;
        at += 1;
        let hex = |b: Option<&u8>| {
            b.and_then(|b| char::from(*b).to_digit(16))
                .and_then(|d| u8::try_from(d).ok())
        };
        match byte {
            b'+' => Some(b' '),
            b'%' => match (hex(encoded.get(at)), hex(encoded.get(at + 1))) {
                (Some(high), Some(low)) => {
                    at += 2;
                    Some(high << 4 | low)
                }
                _ => Some(b'%'),
            },
            _ => Some(byte),
        }
    })
}
