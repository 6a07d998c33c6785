//! Which formats there are, and how one is told from a file's name, a media type or the bytes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The format of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2, read by its core schema; merge keys (`<<`) are honoured.
    Yaml,
    /// TOML 1.
    Toml,
    /// Java's properties, in UTF-8.
    Properties,
    /// Any other text, in UTF-8.
    Text,
    /// Anything else.
    Binary,
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a format: use json, yaml, toml, properties, text or binary")]
pub struct UnknownFormat(pub String);

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Json,
        Self::Yaml,
        Self::Toml,
        Self::Properties,
        Self::Text,
        Self::Binary,
    ];

    /// Its name: `yaml`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Toml => "toml",
            Self::Properties => "properties",
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }

    /// The media type to serve it with.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/yaml",
            Self::Toml => "application/toml",
            Self::Properties => "text/x-java-properties",
            Self::Text => "text/plain; charset=utf-8",
            Self::Binary => "application/octet-stream",
        }
    }

    /// Whether content of this format is a tree of values; text and binary are one piece.
    pub const fn is_tree(self) -> bool {
        matches!(
            self,
            Self::Json | Self::Yaml | Self::Toml | Self::Properties
        )
    }

    /// The format that a file's extension tells, if it is a known one.
    pub fn of_file_name(name: &str) -> Option<Self> {
        let (stem, extension) = name.rsplit('/').next()?.rsplit_once('.')?;
        if stem.is_empty() && extension != "env" {
            return None;
        }
        Some(match extension.to_ascii_lowercase().as_str() {
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            "toml" => Self::Toml,
            "properties" => Self::Properties,
            "txt" | "text" | "conf" | "cfg" | "ini" | "xml" | "html" | "md" | "env" | "sql"
            | "lua" | "sh" | "csv" | "tmpl" | "tpl" | "cel" | "rego" | "crt" | "pem" => Self::Text,
            "bin" | "der" | "p12" | "jks" | "gz" | "zip" | "png" | "ico" => Self::Binary,
            _ => return None,
        })
    }

    /// The format that a `Content-Type` tells, if it is a known one; parameters are passed over.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default();
        Some(match essence.trim().to_ascii_lowercase().as_str() {
            "application/json" | "text/json" => Self::Json,
            "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => Self::Yaml,
            "application/toml" | "text/toml" | "text/x-toml" => Self::Toml,
            "text/x-java-properties" | "text/x-java-property-file" => Self::Properties,
            "application/octet-stream" => Self::Binary,
            word if word.starts_with("application/") && word.ends_with("+json") => Self::Json,
            word if word.starts_with("application/") && word.ends_with("+yaml") => Self::Yaml,
            word if word.starts_with("text/") => Self::Text,
            _ => return None,
        })
    }

    /// The format of content that says nothing else: by the file's name, then by the media type, then by the bytes.
    pub fn guess(file_name: &str, media_type: Option<&str>, bytes: &[u8]) -> Self {
        Self::of_file_name(file_name)
            .or_else(|| media_type.and_then(Self::of_media_type))
            .unwrap_or_else(|| match std::str::from_utf8(bytes) {
                Ok(text) if !text.contains('\0') => Self::Text,
                _ => Self::Binary,
            })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == text)
            .ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_s_name_goes_before_its_media_type_and_that_before_its_bytes() {
        let guess = |name: &str, media_type: &str, bytes: &[u8]| {
            Format::guess(
                name,
                Some(media_type).filter(|text| !text.is_empty()),
                bytes,
            )
        };
        for (name, media_type, bytes, expect) in [
            ("a.yml", "application/json", b"".as_slice(), Format::Yaml),
            ("dir/a.JSON", "", b"", Format::Json),
            ("a", "application/x-yaml; charset=utf-8", b"", Format::Yaml),
            ("a", "application/vnd.acme+json", b"", Format::Json),
            ("a.unknown", "text/html", b"", Format::Text),
            ("a.d/b", "", b"text", Format::Text),
            (".properties", "", b"\0", Format::Binary),
            (".env", "", b"A=1", Format::Text),
            ("a", "", b"\xff", Format::Binary),
        ] {
            assert_eq!(
                guess(name, media_type, bytes),
                expect,
                "{name} {media_type}"
            );
        }
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
            assert_eq!(Format::of_media_type(format.media_type()), Some(format));
        }
    }
}
