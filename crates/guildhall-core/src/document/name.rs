//! Validated names. Outside this file a name that breaks its rule cannot be written down.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::shared_text::share;

/// The most bytes any name may have (RFC 1123's limit for a subdomain).
const MAX_BYTES: usize = 253;

/// A name that breaks its rule, with the rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was given.
    #[error("a name must not be empty")]
    Empty,
    /// More than 253 bytes were given.
    #[error("a name has at most {MAX_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// Not a DNS-1123 subdomain.
    #[error(
        "{0:?} is not a DNS-1123 subdomain: use lower-case letters, digits, '-' and '.', \
         and begin and end each part between dots with a letter or digit"
    )]
    NotDns(String),
    /// A word that stands for something else in the API's paths.
    #[error("{0:?} names a part of the API itself; choose another name")]
    Reserved(&'static str),
    /// A character outside the wide set.
    #[error("{name:?} has the character {character:?}: use letters, digits and ._:#@+-")]
    Character {
        /// The name as given.
        name: String,
        /// The first character that is not allowed.
        character: char,
    },
}

fn length(text: &str) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        n if n > MAX_BYTES => Err(NameError::TooLong(n)),
        _ => Ok(()),
    }
}

fn is_dns(text: &str) -> bool {
    text.split('.').all(|label| {
        let bytes = label.as_bytes();
        let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        edge(bytes.first())
            && edge(bytes.last())
            && bytes
                .iter()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
    })
}

fn dns(text: &str) -> Result<(), NameError> {
    length(text)?;
    if is_dns(text) {
        Ok(())
    } else {
        Err(NameError::NotDns(text.to_owned()))
    }
}

fn wide(text: &str) -> Result<(), NameError> {
    length(text)?;
    let allowed = |c: &char| {
        c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '#' | '@' | '+' | '-')
    };
    match text.chars().find(|c| !allowed(c)) {
        None => Ok(()),
        Some(character) => Err(NameError::Character {
            name: text.to_owned(),
            character,
        }),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $rule:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $type(Arc<str>);

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                // Mostly the same memory: a snapshot's maps compare millions of equal namespaces.
                if Arc::ptr_eq(&self.0, &other.0) {
                    return Ordering::Equal;
                }
                self.0.cmp(&other.0)
            }
        }

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl $type {
            /// Checks `text` against the rule of this kind of name.
            pub fn check(text: &str) -> Result<(), NameError> {
                $rule(text)
            }

            /// The name, if `text` is one by the rule of this kind.
            pub fn new(text: &str) -> Result<Self, NameError> {
                Self::check(text)?;
                Ok(Self(share(text)))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $type {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $type {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// The name of a document: a DNS-1123 subdomain of at most 253 bytes.
    Name, dns
);
name!(
    /// The name of a namespace: a DNS-1123 subdomain.
    Namespace, dns
);
name!(
    /// The name of a service.
    ///
    /// Natively a DNS-1123 subdomain ([`ServiceName::is_native`]); the wide set of characters
    /// is kept for names that came in through a foreign protocol. The API's edge refuses
    /// others, so that reading a document back never fails. The default is the empty name: a
    /// spec that leaves its service to the path; validation refuses it.
    #[derive(Default)]
    ServiceName, wide
);
name!(
    /// The id of an instance, unique within its service: 1–253 of `[A-Za-z0-9._:#@+-]`.
    InstanceId, wide
);
name!(
    /// The version of a service as its author writes it: 1–253 of `[A-Za-z0-9._:#@+-]`.
    VersionName, wide
);

impl Namespace {
    /// The namespace that short paths mean.
    pub fn default_namespace() -> Self {
        Self("default".into())
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self::default_namespace()
    }
}

impl ServiceName {
    /// Whether the name is a DNS-1123 subdomain, as the native API asks.
    pub fn is_native(&self) -> bool {
        is_dns(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dns_name_follows_rfc_1123() {
        for good in ["a", "user-service", "a.b.c", "0", "x--y"] {
            assert!(Name::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a..b",
            ".a",
            "a_b",
            "a/b",
            "ü",
            &"a".repeat(254),
        ] {
            assert!(Name::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wide_name_keeps_what_foreign_protocols_use() {
        for good in ["10.0.0.1:8080#DEFAULT@@svc", "v1.2.3+build", "A_b"] {
            assert!(InstanceId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b", "a b", "a%b"] {
            assert!(InstanceId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_foreign_service_name_is_not_native() {
        assert!(ServiceName::new("user-service").is_ok_and(|name| name.is_native()));
        assert!(ServiceName::new("UserService").is_ok_and(|name| !name.is_native()));
    }
}
