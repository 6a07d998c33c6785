//! A request's query: strict, so that a misspelt filter is an error and not a wider answer.

use std::{borrow::Cow, fmt::Display, str::FromStr};

use guildhall_api::wire::Code;
use guildhall_core::document::{Index, Period, nearest};
use percent_encoding::percent_decode_str;

use super::problem::{Refusal, refuse};

/// The parameters of a query, decoded, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Decodes `raw`, the part after the question mark. Parameters that `known` does not name are refused; a name there
    /// that ends in `.` stands for all that begin with it.
    pub(crate) fn parse(raw: Option<&str>, known: &[&str]) -> Result<Self, Refusal> {
        let Some(raw) = raw.filter(|raw| !raw.is_empty()) else {
            return Ok(Self::default());
        };
        let pairs = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        });
        let query = Self {
            pairs: pairs.collect::<Result<_, Refusal>>()?,
        };
        query.only(known)?;
        Ok(query)
    }

    /// Refuses parameters that `known` does not name.
    fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        let is_known = |key: &str| {
            known
                .iter()
                .any(|k| *k == key || (k.ends_with('.') && key.starts_with(k)))
        };
        match self.pairs.iter().find(|(key, _)| !is_known(key)) {
            None => Ok(()),
            Some((key, _)) => Err(refuse(
                Code::BadRequest,
                match nearest(key, known.iter().copied()) {
                    Some(near) => {
                        format!("unknown query parameter {key:?}; did you mean {near:?}?")
                    }
                    None if known.is_empty() => {
                        format!("unknown query parameter {key:?}; this path takes none")
                    }
                    None => format!(
                        "unknown query parameter {key:?}; known are: {}",
                        known.join(", ")
                    ),
                },
            )),
        }
    }

    /// The first value of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// Every value of `key`.
    pub(crate) fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(k, _)| k == key)
            .map(|(_, value)| value.as_str())
    }

    /// Every parameter with its value, in order.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The value of `key` as a `T`; the error of `T` tells what would be right.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.get(key) else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error| refuse(Code::BadRequest, format!("query parameter {key}: {error}")))
    }

    /// The value of `key` as a flag: `true`, `false`, or nothing at all for true.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Refusal> {
        match self.get(key) {
            None => Ok(None),
            Some("" | "true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(refuse(
                Code::BadRequest,
                format!("query parameter {key}: true or false, not {other:?}"),
            )),
        }
    }

    /// `index`, or `key` in its place.
    pub(crate) fn index(&self, key: &str) -> Result<Option<Index>, Refusal> {
        self.parsed(key)
    }

    /// The value of `key` as a duration.
    pub(crate) fn period(&self, key: &str) -> Result<Option<Period>, Refusal> {
        self.parsed(key)
    }
}

fn decode(text: &str) -> Result<String, Refusal> {
    // In queries a plus is a space; a real plus is encoded.
    let text: Cow<'_, str> = if text.contains('+') {
        text.replace('+', " ").into()
    } else {
        text.into()
    };
    match percent_decode_str(&text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(refuse(
            Code::BadRequest,
            format!("{text:?} in the query is not UTF-8 once decoded"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_parameter_names_the_nearest() {
        let known = ["healthy", "tag", "metadata."];
        let error = Query::parse(Some("healty=false"), &known).unwrap_err();
        assert_eq!(
            error.detail,
            "unknown query parameter \"healty\"; did you mean \"healthy\"?"
        );
        let query = Query::parse(Some("tag=a&tag=b%2Bc&metadata.rack=r+1"), &known).unwrap();
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a", "b+c"]);
        assert_eq!(query.pairs().last(), Some(("metadata.rack", "r 1")));
    }

    #[test]
    fn a_value_that_does_not_parse_says_what_would() {
        let known = ["index", "wait", "watch", "dryRun"];
        let query = Query::parse(Some("index=7&wait=soon&watch=maybe"), &known).unwrap();
        assert!(
            query
                .index("index")
                .unwrap_err()
                .detail
                .contains("incarnation.revision")
        );
        assert!(query.period("wait").unwrap_err().detail.contains("30s"));
        assert!(query.flag("watch").is_err());
        assert_eq!(query.flag("dryRun"), Ok(None));
    }
}
