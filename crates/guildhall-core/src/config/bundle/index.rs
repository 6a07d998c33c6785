//! What the names and the bytes of a bundle do not say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    config::{Config, ConfigName, Format},
    document::{Metadata, Object},
};

/// Where the index stands in a bundle.
pub const INDEX: &str = "guildhall.json";

/// The kind that the index names, so that a bundle is known by it.
const KIND: &str = "ConfigBundle";

/// What the names and the bytes of a bundle do not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Index {
    /// Always `ConfigBundle`.
    kind: String,
    /// From which namespace; for people, nothing goes by it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// By the files' names. A file that is not here is said whole by its name and its bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, About>,
}

/// What the name and the bytes of a file do not say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct About {
    /// The document's labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The document's annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The document's spec, without its content and what follows from that.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub spec: Map<String, Value>,
}

/// An index that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Not JSON, or with fields that are not known here.
    #[error("{INDEX}: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another file that has this name.
    #[error("{INDEX} is not the index of exported files: its kind is {0:?}, not \"{KIND}\"")]
    Kind(String),
    /// A spec that is none.
    #[error("{INDEX}: the spec of {name}: {error}")]
    Spec {
        /// The file.
        name: String,
        /// Why.
        error: serde_json::Error,
    },
}

impl Index {
    /// An index of files of `namespace`, empty yet.
    pub fn new(namespace: impl Into<String>) -> Self {
        Self {
            kind: KIND.to_owned(),
            namespace: namespace.into(),
            files: BTreeMap::new(),
        }
    }

    /// Reads an index.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, IndexError> {
        let value: Value = serde_json::from_slice(bytes)?;
        match value.get("kind") {
            Some(Value::String(kind)) if kind == KIND => {}
            kind => {
                let kind = kind.and_then(Value::as_str).unwrap_or_default();
                return Err(IndexError::Kind(kind.to_owned()));
            }
        }
        let index: Self = serde_json::from_value(value)?;
        for (name, about) in &index.files {
            about.spec(name)?;
        }
        Ok(index)
    }

    /// Whether these bytes are meant to be an index.
    pub fn is_one(bytes: &[u8]) -> bool {
        !matches!(
            Self::parse(bytes),
            Err(IndexError::Kind(_) | IndexError::Malformed(_))
        )
    }

    /// The index as it is written.
    ///
    /// # Errors
    /// It cannot be written as JSON: a defect.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// Notes of a file what its name and bytes do not say, if there is anything.
    ///
    /// # Errors
    /// A spec cannot be written as JSON: a defect.
    pub fn note(
        &mut self,
        name: ConfigName<'_>,
        document: &Object<Config>,
        content: &[u8],
    ) -> Result<(), serde_json::Error> {
        let about = About::of(name, document, content)?;
        if about != About::default() {
            self.files.insert(name.to_string(), about);
        }
        Ok(())
    }
}

impl About {
    fn of(
        name: ConfigName<'_>,
        document: &Object<Config>,
        content: &[u8],
    ) -> Result<Self, serde_json::Error> {
        let mut said = document.spec.clone();
        // Gray releases are of the moment; the others follow from the bytes.
        said.gray.clear();
        (said.content, said.content_base64) = (None, None);
        (said.content_hash, said.size) = (None, None);
        if said.format == Some(Format::guess(name.file, None, content)) {
            said.format = None;
        }
        let spec = match serde_json::to_value(said)? {
            Value::Object(spec) => spec,
            _ => Map::new(),
        };
        let Metadata {
            labels,
            annotations,
            ..
        } = &document.metadata;
        Ok(Self {
            labels: labels.clone(),
            annotations: annotations.clone(),
            spec,
        })
    }

    /// The spec of the file `name`, without its content.
    ///
    /// # Errors
    /// It is no spec, or of a newer version.
    pub fn spec(&self, name: &str) -> Result<Config, IndexError> {
        serde_json::from_value(Value::Object(self.spec.clone())).map_err(|error| IndexError::Spec {
            name: name.to_owned(),
            error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Namespace;

    fn document(name: &str, format: Format) -> Object<Config> {
        let spec = Config {
            format: Some(format),
            size: Some(4),
            ..Config::default()
        };
        Object::new(Metadata::named(Namespace::default(), name), spec)
    }

    fn noted(document: &Object<Config>) -> Index {
        let mut index = Index::new("default");
        let name = ConfigName::parse(&document.metadata.name).unwrap();
        index.note(name, document, b"a: 1").unwrap();
        assert_eq!(
            Index::parse(index.to_json().unwrap().as_bytes()).unwrap(),
            index
        );
        index
    }

    #[test]
    fn only_what_cannot_be_told_otherwise_is_noted() {
        assert!(
            noted(&document("users/_/app.yaml", Format::Yaml))
                .files
                .is_empty()
        );
        assert!(
            noted(&document("users/_/motd", Format::Text))
                .files
                .is_empty()
        );
        let mut settings = document("users/_/settings", Format::Yaml);
        settings
            .metadata
            .labels
            .insert("team".into(), "shop".into());
        let index = noted(&settings);
        let about = &index.files["users/_/settings"];
        assert_eq!(about.labels["team"], "shop");
        assert_eq!(
            Value::Object(about.spec.clone()),
            serde_json::json!({"format": "yaml"})
        );
        let spec = about.spec("users/_/settings").unwrap();
        assert_eq!((spec.format, spec.size), (Some(Format::Yaml), None));
    }

    #[test]
    fn another_file_of_the_name_and_a_newer_index_are_told() {
        let error = |text: &str| Index::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error("{\"a\": 1}").contains("its kind is \"\""));
        assert!(!Index::is_one(b"{\"a\": 1}") && Index::is_one(b"{\"kind\": \"ConfigBundle\"}"));
        let newer = r#"{"kind": "ConfigBundle", "files": {"a/_/b": {"spec": {"colour": "red"}}}}"#;
        let said = error(newer);
        assert!(
            said.contains("the spec of a/_/b") && said.contains("colour"),
            "{said}"
        );
    }
}
