//! Which files a reader's configuration is made of.

use std::sync::Arc;

use guildhall_core::config::{ConfigName, ContentHash, Format, Source};
use guildhall_core::document::{Document, DocumentKey, Kind, Namespace};
use guildhall_store::BlobHash;

use crate::view::State;
use crate::watch::Scope;

/// Who asks for which file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EffectiveQuery {
    /// The file as its most special input is named: kind `Config`, name `{service}/{environment}/{file}`.
    pub key: DocumentKey,
}

/// One of the files.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) key: DocumentKey,
    pub(super) source: Arc<Source>,
    pub(super) format: Format,
    pub(super) hash: ContentHash,
}

impl EffectiveQuery {
    /// The names that the file may be made of, the most general first.
    fn names(&self) -> impl Iterator<Item = String> + use<> {
        let parsed = ConfigName::parse(&self.key.name);
        let names = parsed.map_or_else(|_| Vec::new(), ConfigName::inputs);
        let names: Vec<String> = names.iter().map(ConfigName::to_string).collect();
        names.into_iter()
    }

    /// What is watched: every one of them, whether it is there or not.
    pub(super) fn scope(&self) -> Scope {
        let names = self.names().map(Arc::from);
        Scope::documents(Kind::Config, self.key.namespace.clone(), names)
    }

    /// Those that are there, the most general first.
    pub(super) fn inputs(&self, state: &State) -> Vec<Input> {
        let namespace: &Namespace = &self.key.namespace;
        let found = self.names().filter_map(|name| {
            let key = DocumentKey::new(Kind::Config, namespace.clone(), name);
            let Some(Document::Config(config)) = state.get(&key) else {
                return None;
            };
            let hash = config.spec.content_hash?;
            Some(Input {
                source: Arc::new(Source {
                    config: key.name.to_string(),
                    version: config.metadata.version.into(),
                    gray: None,
                }),
                // What is stored always says it.
                format: config.spec.format.unwrap_or(Format::Binary),
                hash,
                key,
            })
        });
        found.collect()
    }
}

/// The tag of what inputs come to. Versions alone would not do: after a snapshot was restored their numbers are given
/// a second time.
pub(super) fn tag(inputs: &[Input]) -> Arc<str> {
    let mut said = String::new();
    for Input { source, hash, .. } in inputs {
        let gray = source.gray.as_deref().unwrap_or_default();
        said.push_str(&format!(
            "{}\n{}\n{gray}\n{hash}\n",
            source.config, source.version
        ));
    }
    let hash = BlobHash::of(said.as_bytes()).to_string();
    hash.get(..32).unwrap_or(&hash).into()
}
