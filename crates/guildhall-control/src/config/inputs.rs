//! Which contents a reader's configuration is made of.

use std::collections::BTreeMap;
use std::sync::Arc;

use guildhall_core::config::gray::first_for;
use guildhall_core::config::seal::Sight;
use guildhall_core::config::{
    Config, ConfigName, ContentHash, Format, Gray, GrayRelease, Listener, Source,
};
use guildhall_core::document::{Document, DocumentKey, Kind, Object};
use guildhall_store::BlobHash;

use crate::view::State;
use crate::watch::Scope;

/// Who asks for which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveQuery {
    /// The file as its most special input is named: kind `Config`, name `{service}/{environment}/{file}`.
    pub key: DocumentKey,
    /// For whom; nobody in particular gets no gray release.
    pub reader: Option<Reader>,
    /// What is seen of sealed values. To reveal them takes the right to.
    pub sight: Sight,
}

/// An instance that reads a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// Its id. If an instance of the file's service is registered under it, what that says of zone and labels holds
    /// where this says nothing.
    pub instance: Arc<str>,
    /// The zone it runs in.
    pub zone: Option<Arc<str>>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// One of the contents.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) key: DocumentKey,
    pub(super) source: Arc<Source>,
    pub(super) format: Format,
    pub(super) hash: ContentHash,
}

/// What a query may come to.
pub(super) struct Variant {
    /// The gray release that holds in it.
    pub(super) gray: Option<String>,
    pub(super) inputs: Vec<Input>,
}

impl EffectiveQuery {
    /// The names that the file may be made of, the most general first.
    pub(super) fn names(&self) -> impl Iterator<Item = String> + use<> {
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
        let mut reader = None;
        self.inputs_with(state, |key, config| match config.spec.gray.as_slice() {
            [] => None,
            releases => {
                let reader = reader.get_or_insert_with(|| self.reader_in(state));
                let reader = reader.as_ref();
                reader.and_then(|reader| chosen(key, releases, reader))
            }
        })
    }

    /// What there is for anybody: without gray releases, and with each of them alone.
    pub(super) fn variants(&self, state: &State) -> Vec<Variant> {
        let mut variants = vec![Variant {
            gray: None,
            inputs: self.inputs_with(state, |_, _| None),
        }];
        for (key, config) in self.files(state) {
            for gray in &config.spec.gray {
                variants.push(Variant {
                    gray: Some(format!("{}#{}", key.name, gray.name)),
                    inputs: self.inputs_with(state, |file, _| (*file == key).then_some(gray)),
                });
            }
        }
        variants
    }

    /// The files that are there, the most general first.
    fn files<'s>(&self, state: &'s State) -> Vec<(DocumentKey, &'s Object<Config>)> {
        let names = self.names();
        let files = names.filter_map(|name| {
            let key = DocumentKey::new(Kind::Config, self.key.namespace.clone(), name);
            match state.get(&key) {
                Some(Document::Config(config)) => Some((key, &**config)),
                _ => None,
            }
        });
        files.collect()
    }

    /// What the files are made of when `gray` says which gray release of each holds.
    fn inputs_with<'s>(
        &self,
        state: &'s State,
        mut gray: impl FnMut(&DocumentKey, &'s Object<Config>) -> Option<&'s GrayRelease>,
    ) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (key, config) in self.files(state) {
            let gray = gray(&key, config);
            if gray.is_none_or(|gray| gray.overlay) {
                inputs.extend(input(&key, config, config.spec.content_hash, None));
            }
            if let Some(gray) = gray {
                inputs.extend(input(&key, config, gray.content_hash, Some(&gray.name)));
            }
        }
        inputs
    }

    /// The reader, with what its registration says of it.
    fn reader_in(&self, state: &State) -> Option<Reader> {
        let mut reader = self.reader.clone()?;
        let service = ConfigName::parse(&self.key.name).ok()?.service;
        let name = format!("{service}/{}", reader.instance);
        let instance = DocumentKey::new(Kind::Instance, self.key.namespace.clone(), name);
        if let Some(Document::Instance(instance)) = state.get(&instance) {
            let zone = instance.spec.zone.as_deref();
            reader.zone = reader.zone.or_else(|| zone.map(Arc::from));
            for (key, value) in &instance.metadata.labels {
                let known = reader.labels.entry(key.clone());
                known.or_insert_with(|| value.clone());
            }
        }
        Some(reader)
    }
}

/// The gray release that is for the reader.
fn chosen<'a>(
    key: &DocumentKey,
    releases: &'a [GrayRelease],
    reader: &Reader,
) -> Option<&'a GrayRelease> {
    let listener = Listener {
        instance: &reader.instance,
        zone: reader.zone.as_deref(),
        labels: &reader.labels,
    };
    // What deals the instances: another name deals anew.
    let seeds = releases
        .iter()
        .map(|gray| format!("{}#{}", key.name, gray.name));
    let seeds: Vec<String> = seeds.collect();
    let grays = releases.iter().zip(&seeds).map(|(release, seed)| {
        let rule = &release.rule;
        (release, Gray { seed, rule })
    });
    first_for(grays, &listener)
}

fn input(
    key: &DocumentKey,
    config: &Object<Config>,
    hash: Option<ContentHash>,
    gray: Option<&str>,
) -> Option<Input> {
    Some(Input {
        key: key.clone(),
        source: Arc::new(Source {
            config: key.name.to_string(),
            version: config.metadata.version.into(),
            gray: gray.map(str::to_owned),
        }),
        // What is stored always says it.
        format: config.spec.format.unwrap_or(Format::Binary),
        hash: hash?,
    })
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
