//! What a setting can hold: how each type is read from TOML and from text, and how it is shown.

use std::{net::SocketAddr, path::PathBuf};

use guildhall_core::document::Period;
use guildhall_gateway::Cidr;

/// A setting as it was given: TOML from a file, or text from the environment or a flag.
#[derive(Clone, Debug)]
pub(crate) enum Given {
    /// From a settings file.
    Toml(toml::Value),
    /// From the environment or a flag.
    Text(String),
}

/// A type that a setting can have.
pub(crate) trait Value: Sized {
    /// What the reference calls it.
    const TYPE: &'static str;
    /// Whether its value is masked wherever settings are shown.
    const SECRET: bool = false;

    /// Reads it from text.
    fn from_text(text: &str) -> Result<Self, String>;

    /// Reads it from TOML; most types are written as strings there too.
    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::String(text) => Self::from_text(text),
            other => Err(format!(
                "expected {}, found {}",
                Self::TYPE,
                other.type_str()
            )),
        }
    }

    /// Writes it as TOML, such that `from_toml` reads it back.
    fn to_toml(&self) -> toml::Value;

    /// Reads it from wherever it came.
    fn read(given: &Given) -> Result<Self, String> {
        match given {
            Given::Toml(value) => Self::from_toml(value),
            Given::Text(text) => Self::from_text(text),
        }
    }

    /// As people see it.
    fn shown(&self) -> String {
        if Self::SECRET {
            "\"***\"".to_owned()
        } else {
            self.to_toml().to_string()
        }
    }
}

/// A text that is never shown: it prints as `***` everywhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; whoever calls this answers for where it goes.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Value for Secret {
    const TYPE: &'static str = "text";
    const SECRET: bool = true;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.0.clone())
    }
}

impl Value for bool {
    const TYPE: &'static str = "true or false";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| format!("expected true or false, found {text:?}"))
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        value
            .as_bool()
            .ok_or_else(|| format!("expected true or false, found {}", value.type_str()))
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            const TYPE: &'static str = "whole number";

            fn from_text(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("expected a whole number from 0 to {}, found {text:?}", <$type>::MAX))
            }

            fn from_toml(value: &toml::Value) -> Result<Self, String> {
                value
                    .as_integer()
                    .and_then(|number| Self::try_from(number).ok())
                    .ok_or_else(|| format!("expected a whole number from 0 to {}, found {value}", <$type>::MAX))
            }

            fn to_toml(&self) -> toml::Value {
                toml::Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )*};
}

whole_numbers!(u16, u32, u64, usize);

impl Value for String {
    const TYPE: &'static str = "text";

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.clone())
    }
}

impl Value for PathBuf {
    const TYPE: &'static str = "path";

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err("expected a path, found nothing".to_owned())
        } else {
            Ok(text.into())
        }
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.display().to_string())
    }
}

impl Value for SocketAddr {
    const TYPE: &'static str = "address and port";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            format!("expected an IP address and a port such as 127.0.0.1:7420 or [::1]:7420, found {text:?}")
        })
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl Value for Cidr {
    const TYPE: &'static str = "network";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: guildhall_gateway::CidrError| error.to_string())
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl Value for Period {
    const TYPE: &'static str = "duration";

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|error: guildhall_core::document::PeriodError| error.to_string())
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

/// A number of bytes, written with or without a unit: `65536`, `"64KiB"`, `"1MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const SIZES: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fits = |unit: &&(&str, u64)| self.0 >= unit.1 && self.0.is_multiple_of(unit.1);
        let (unit, bytes) = SIZES.iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / bytes)
    }
}

impl Value for Size {
    const TYPE: &'static str = "size";

    fn from_text(text: &str) -> Result<Self, String> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit = match unit.trim() {
            "" => Some(1),
            word => SIZES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(word))
                .map(|(_, bytes)| *bytes),
        };
        let bytes = unit
            .zip(number.parse::<u64>().ok())
            .and_then(|(unit, number)| number.checked_mul(unit));
        bytes
            .map(Self)
            .ok_or_else(|| format!("expected a size such as 64KiB or 1MiB, found {text:?}"))
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::String(text) => Self::from_text(text),
            other => u64::from_toml(other).map(Self),
        }
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::String(self.to_string())
    }
}

impl<T: Value> Value for Option<T> {
    const TYPE: &'static str = T::TYPE;
    const SECRET: bool = T::SECRET;

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Ok(None)
        } else {
            T::from_text(text).map(Some)
        }
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::String(text) if text.is_empty() => Ok(None),
            other => T::from_toml(other).map(Some),
        }
    }

    fn to_toml(&self) -> toml::Value {
        self.as_ref()
            .map_or_else(|| toml::Value::String(String::new()), T::to_toml)
    }

    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "\"\"".to_owned(), T::shown)
    }
}

impl<T: Value> Value for Vec<T> {
    const TYPE: &'static str = "list";

    fn from_text(text: &str) -> Result<Self, String> {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(T::from_text)
            .collect()
    }

    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::Array(items) => items.iter().map(T::from_toml).collect(),
            toml::Value::String(text) => Self::from_text(text),
            other => Err(format!("expected a list, found {}", other.type_str())),
        }
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Array(self.iter().map(T::to_toml).collect())
    }
}

/// A type whose values are a fixed set of words.
macro_rules! words {
    ($(#[$about:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$doc])* $variant,)* }

        impl $type {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As it is written in settings.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl Value for $type {
            const TYPE: &'static str = concat!("one of", $(" ", $word),*);

            fn from_text(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|one| one.word() == text).ok_or_else(|| {
                    let known: Vec<&str> = Self::ALL.iter().map(|one| one.word()).collect();
                    format!("{text:?} does not exist; there are: {}", known.join(", "))
                })
            }

            fn to_toml(&self) -> toml::Value {
                toml::Value::String(self.word().to_owned())
            }
        }
    };
}

words! {
    /// What a node does.
    Role {
        /// Keeps the documents and answers the API.
        Control = "control",
        /// Carries traffic.
        Gateway = "gateway",
    }
}

words! {
    /// How the gateway's access log is written.
    AccessLog {
        /// Not at all.
        Off = "off",
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

words! {
    /// How log lines are written.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_back() {
        for (text, bytes) in [
            ("1MiB", 1 << 20),
            ("64KiB", 65536),
            ("1000B", 1000),
            ("0B", 0),
        ] {
            assert_eq!(Size::from_text(text), Ok(Size(bytes)), "{text}");
            assert_eq!(Size(bytes).to_string(), text);
        }
        assert_eq!(Size::from_text("12"), Ok(Size(12)));
        for bad in ["", "MiB", "1MB", "-1B", "1.5MiB", "99999999999GiB"] {
            assert!(Size::from_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_role_names_those_that_exist() {
        assert_eq!(
            Role::from_text("bus"),
            Err("\"bus\" does not exist; there are: control, gateway".to_owned())
        );
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Some(Secret::new("hunter2"));
        assert_eq!(secret.shown(), "\"***\"");
        assert_eq!(format!("{secret:?}"), "Some(***)");
        assert_eq!(None::<Secret>.shown(), "\"\"");
    }
}
