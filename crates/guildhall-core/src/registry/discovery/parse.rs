//! Reads a query from a request's parameters, strictly: a filter that were ignored because it is
//! misspelt would answer with instances that nobody asked for.

use super::{Near, Query};
use crate::document::{VersionName, nearest};

/// The parameters of a discovery, apart from `metadata.KEY`.
const PARAMETERS: [&str; 6] = ["healthy", "tag", "zone", "region", "version", "near"];

/// A parameter that cannot be what was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No parameter has this name.
    #[error("there is no parameter {parameter:?}; {hint}")]
    Unknown {
        /// The name as given.
        parameter: String,
        /// What was probably meant, or what there is.
        hint: String,
    },
    /// It was given twice with different values.
    #[error("{parameter} was given twice; ask for one value at a time")]
    Twice {
        /// Its name.
        parameter: String,
    },
    /// It has a value it cannot have.
    #[error("{parameter}={value:?}: {expected}")]
    Value {
        /// Its name.
        parameter: String,
        /// The value as given.
        value: String,
        /// What would be right.
        expected: String,
    },
}

impl QueryError {
    /// The name of the parameter that is wrong.
    pub fn parameter(&self) -> &str {
        let (Self::Unknown { parameter, .. }
        | Self::Twice { parameter }
        | Self::Value { parameter, .. }) = self;
        parameter
    }
}

impl Query {
    /// Reads the decoded `pairs` of a request's query string; passes over those whose names are
    /// in `handled`, which the caller reads itself (`index`, `wait`, …).
    pub fn parse<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
        handled: &[&str],
    ) -> Result<Self, QueryError> {
        let mut query = Self::default();
        let mut healthy = None;
        for (parameter, value) in pairs {
            let (parameter, value) = (parameter.as_ref(), value.as_ref());
            match parameter {
                "healthy" => set(&mut healthy, parameter, boolean(parameter, value)?)?,
                "tag" => {
                    query.tags.insert(text(parameter, value)?);
                }
                "zone" => set(&mut query.zone, parameter, text(parameter, value)?)?,
                "region" => set(&mut query.region, parameter, text(parameter, value)?)?,
                "version" => set(&mut query.version, parameter, version(parameter, value)?)?,
                "near" => set(&mut query.near, parameter, near(parameter, value)?)?,
                _ => match parameter.strip_prefix("metadata.") {
                    Some(key) if !key.is_empty() => {
                        let before = query.metadata.insert(key.to_owned(), value.to_owned());
                        if before.is_some_and(|before| before != value) {
                            return Err(QueryError::Twice {
                                parameter: parameter.to_owned(),
                            });
                        }
                    }
                    _ if handled.contains(&parameter) => {}
                    _ => return Err(unknown(parameter, handled)),
                },
            }
        }
        query.healthy = healthy.unwrap_or(true);
        Ok(query)
    }
}

fn set<T: PartialEq>(place: &mut Option<T>, parameter: &str, value: T) -> Result<(), QueryError> {
    match place {
        Some(before) if *before != value => Err(QueryError::Twice {
            parameter: parameter.to_owned(),
        }),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn wrong(parameter: &str, value: &str, expected: impl Into<String>) -> QueryError {
    QueryError::Value {
        parameter: parameter.to_owned(),
        value: value.to_owned(),
        expected: expected.into(),
    }
}

fn boolean(parameter: &str, value: &str) -> Result<bool, QueryError> {
    value
        .parse()
        .map_err(|_| wrong(parameter, value, "write true or false"))
}

/// An empty value is most likely a variable that was not set in a script: to filter by it, or
/// not to filter at all, would both be wrong.
fn text(parameter: &str, value: &str) -> Result<String, QueryError> {
    if value.is_empty() {
        return Err(wrong(
            parameter,
            value,
            "leave the parameter out, or give it a value",
        ));
    }
    Ok(value.to_owned())
}

fn version(parameter: &str, value: &str) -> Result<VersionName, QueryError> {
    VersionName::new(value).map_err(|error| wrong(parameter, value, error.to_string()))
}

fn near(parameter: &str, value: &str) -> Result<Near, QueryError> {
    let near = match value.split_once('/') {
        Some((region, zone)) => Near {
            region: Some(region.to_owned()),
            zone: zone.to_owned(),
        },
        None => Near {
            region: None,
            zone: value.to_owned(),
        },
    };
    if near.zone.is_empty() || near.region.as_ref().is_some_and(String::is_empty) {
        return Err(wrong(parameter, value, "write a zone, or region/zone"));
    }
    Ok(near)
}

fn unknown(parameter: &str, handled: &[&str]) -> QueryError {
    let known = || PARAMETERS.iter().chain(handled).copied();
    let hint = match nearest(parameter, known()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if parameter.to_ascii_lowercase().starts_with("meta") => {
            "did you mean \"metadata.KEY\"?".to_owned()
        }
        None => format!(
            "there are {} and metadata.KEY",
            known().collect::<Vec<_>>().join(", ")
        ),
    };
    QueryError::Unknown {
        parameter: parameter.to_owned(),
        hint,
    }
}
