//! What a write would break for those who read: contents that do not go together, and values that do not fit a schema.
//!
//! A file with a schema is checked as its readers get it, all inputs laid over each other and each gray release too; so is
//! every file that has the written one among its inputs, or that refers to it as its schema. The state that is checked is
//! the one before the write: two writes at the same time may each be right and not fit together, and the next one says so.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use guildhall_core::config::merge::{Effective as Laid, mixed};
use guildhall_core::config::schema::{Schema, Violation};
use guildhall_core::config::seal::Sight;
use guildhall_core::config::{
    Config, ConfigName, ContentHash, Format, Layer, Origin, Parsed, SHARED, merge, parse,
};
use guildhall_core::document::{Document, DocumentKey, Kind, Object, Problems};
use quick_cache::sync::Cache;

use super::EffectiveQuery;
use super::inputs::{Input, Variant};
use super::sealing::see;
use crate::Error;
use crate::control::Shared;
use crate::view::State;

/// The most files that are named as broken.
const NAMED: usize = 10;

/// How many compiled schemas are kept.
const SCHEMAS: usize = 256;

/// Compiled schemas by their content.
#[derive(Debug)]
pub(crate) struct Schemas(Cache<ContentHash, Arc<Schema>>);

impl Default for Schemas {
    fn default() -> Self {
        Self(Cache::new(SCHEMAS))
    }
}

/// Contents that are about to be written, by their hash: in a dry run the store never gets them.
pub(super) type Fresh = HashMap<ContentHash, Bytes>;

/// What is checked, and as of when.
struct Check<'a> {
    shared: &'a Shared,
    /// Everything as it would be after the write.
    after: State,
    fresh: &'a Fresh,
    problems: Problems,
    /// Files that would break.
    broken: usize,
}

/// Refuses documents that would break what readers get. `None` stands for a deletion.
pub(super) async fn check(
    shared: &Shared,
    writes: &[(DocumentKey, Option<&Object<Config>>)],
    fresh: &Fresh,
) -> Result<(), Error> {
    let reaches_far = writes.iter().any(|(key, written)| {
        let refers = written.is_some_and(|config| config.spec.schema_ref.is_some());
        refers || ConfigName::parse(&key.name).is_ok_and(|name| is_shared(name) || name.is_schema())
    });
    let state = match reaches_far {
        // What was written before this call is part of what it is checked against.
        true => {
            let index = shared.store.index();
            shared.view.wait_for(&*shared.store, index).await?
        }
        false => shared.view.load(),
    };
    if !reaches_far && writes.iter().all(|(key, _)| stands_alone(&state, key)) {
        return Ok(());
    }
    let mut after = State::clone(&state);
    for (key, written) in writes {
        match written {
            Some(config) => {
                let mut config = Object::clone(config);
                let version = after.get(key).map(|present| present.metadata().version);
                config.metadata.version = version.unwrap_or_default() + 1;
                after.documents.insert(key.clone(), config.into());
            }
            None => {
                after.documents.remove(key);
            }
        }
    }
    let mut check = Check {
        shared,
        after,
        fresh,
        problems: Problems::default(),
        broken: 0,
    };
    for (key, written) in writes {
        check.schema(key, *written).await?;
        for reader in check.readers(key) {
            check.reader(key, &reader).await?;
        }
    }
    check.finish()
}

/// Whether nothing lies under a file of a service: what its readers get is its content, which was parsed.
fn stands_alone(state: &State, key: &DocumentKey) -> bool {
    let Ok(name) = ConfigName::parse(&key.name) else {
        return false;
    };
    let mut shared = name.inputs().into_iter().filter(|input| *input != name);
    shared.all(|input| {
        let input = DocumentKey::new(Kind::Config, key.namespace.clone(), input.to_string());
        state.get(&input).is_none()
    })
}

fn is_shared(name: ConfigName<'_>) -> bool {
    name.service == SHARED || name.environment == SHARED
}

impl Check<'_> {
    /// A schema must be one, as long as others refer to it.
    async fn schema(
        &mut self,
        key: &DocumentKey,
        written: Option<&Object<Config>>,
    ) -> Result<(), Error> {
        if !ConfigName::parse(&key.name).is_ok_and(|name| name.is_schema()) {
            return Ok(());
        }
        match written {
            Some(config) => {
                if let Err(why) = self.compiled(key, config).await? {
                    self.problems.add("/spec/content", why);
                }
            }
            None => {
                let referring = self.referring(key);
                if let Some(first) = referring.first() {
                    let others = referring.len() - 1;
                    let more = if others > 0 {
                        format!(" and {others} more")
                    } else {
                        String::new()
                    };
                    return Err(Error::Conflict(format!(
                        "{key} is the schema of {}{more}; detach it there first (guildhall config schema FILE --none)",
                        first.name
                    )));
                }
            }
        }
        Ok(())
    }

    /// The schema that a file's content is; or why it is none.
    async fn compiled(
        &self,
        key: &DocumentKey,
        config: &Object<Config>,
    ) -> Result<Result<Arc<Schema>, String>, Error> {
        let Some(hash) = config.spec.content_hash else {
            return Ok(Err("a schema needs its content".to_owned()));
        };
        if let Some(known) = self.shared.schemas.0.get(&hash) {
            return Ok(Ok(known));
        }
        let format = config.spec.format.unwrap_or(Format::Binary);
        let content = self.content(key, format, hash).await?;
        let parsed = match parse(format, &content) {
            Ok(parsed) => parsed,
            Err(error) => return Ok(Err(error.to_string())),
        };
        match Schema::compile(&parsed) {
            Ok(schema) => {
                let schema = Arc::new(schema);
                self.shared.schemas.0.insert(hash, Arc::clone(&schema));
                Ok(Ok(schema))
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// The bytes of a content, kept or about to be.
    async fn content(
        &self,
        key: &DocumentKey,
        format: Format,
        hash: ContentHash,
    ) -> Result<Bytes, Error> {
        let bytes = match self.fresh.get(&hash) {
            Some(bytes) => bytes.clone(),
            None => {
                let store = &*self.shared.store;
                self.shared.contents.get(store, key, hash).await?
            }
        };
        Ok(see(self.shared, key, format, bytes, Sight::Revealed)?.bytes)
    }

    /// The files that refer to `key` as their schema.
    fn referring(&self, key: &DocumentKey) -> Vec<DocumentKey> {
        let configs = self.configs(key);
        let referring =
            configs.filter(|config| config.spec.schema_ref.as_deref() == Some(&*key.name));
        referring.map(Object::key).collect()
    }

    /// Every file of the namespace.
    fn configs<'s>(
        &'s self,
        key: &DocumentKey,
    ) -> impl Iterator<Item = &'s Object<Config>> + use<'s> {
        let first = DocumentKey::new(Kind::Config, key.namespace.clone(), "");
        let (kind, namespace) = (first.kind, first.namespace.clone());
        let all = self.after.documents.range(first..);
        let ours = all.take_while(move |(key, _)| key.kind == kind && key.namespace == namespace);
        ours.filter_map(|(_, document)| match document {
            Document::Config(config) => Some(&**config),
            _ => None,
        })
    }

    /// The files whose readers a write of `key` changes something for: itself, those it is an input of, those whose schema
    /// it is.
    fn readers(&self, key: &DocumentKey) -> Vec<DocumentKey> {
        let Ok(name) = ConfigName::parse(&key.name) else {
            return Vec::new();
        };
        let mut readers = Vec::new();
        if self.after.get(key).is_some() {
            readers.push(key.clone());
        }
        if is_shared(name) {
            let has_it = |config: &&Object<Config>| {
                *config.metadata.name != *key.name
                    && ConfigName::parse(&config.metadata.name).is_ok_and(|reader| {
                        reader.file == name.file && reader.inputs().contains(&name)
                    })
            };
            readers.extend(self.configs(key).filter(has_it).map(Object::key));
        }
        if name.is_schema() {
            readers.extend(self.referring(key));
        }
        readers
    }

    /// Whether what the readers of `file` get goes together and fits its schema.
    async fn reader(&mut self, written: &DocumentKey, file: &DocumentKey) -> Result<(), Error> {
        let query = EffectiveQuery {
            key: file.clone(),
            reader: None,
            sight: Sight::Revealed,
        };
        let after = self.after.clone();
        let Some(Document::Config(config)) = after.get(file) else {
            return Ok(());
        };
        let schema = match &config.spec.schema_ref {
            None => None,
            Some(name) => match self.schema_of(file, name).await? {
                Ok(schema) => Some((name, schema)),
                Err(why) => {
                    self.add(written, file, "/spec/schemaRef", why);
                    return Ok(());
                }
            },
        };
        for Variant { gray, inputs } in query.variants(&after) {
            let formats = inputs.iter().map(|input| input.format);
            let of_whom = match &gray {
                Some(gray) => format!(" (with the gray release {gray})"),
                None => String::new(),
            };
            if let Some((below, above)) = mixed(&formats.collect::<Vec<_>>()) {
                let name = |at: usize| {
                    inputs.get(at).map_or_else(String::new, |input| {
                        format!("{} is {}", input.source.config, input.format)
                    })
                };
                let why = format!(
                    "{} and {} over it{of_whom}: keys of properties are flat, those of other formats are not; write both in one format",
                    name(below),
                    name(above)
                );
                self.add(written, file, "/spec/content", why);
                return Ok(());
            }
            let Some((name, schema)) = &schema else {
                continue;
            };
            for why in self.unfit(&inputs, schema).await? {
                let why = format!("{why}{of_whom}, by the schema {name}");
                self.add(written, file, "/spec/content", why);
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn schema_of(
        &self,
        file: &DocumentKey,
        name: &str,
    ) -> Result<Result<Arc<Schema>, String>, Error> {
        let key = DocumentKey::new(Kind::Config, file.namespace.clone(), name);
        match self.after.get(&key) {
            Some(Document::Config(schema)) => {
                let schema = Arc::clone(schema);
                let compiled = self.compiled(&key, &schema).await?;
                Ok(compiled.map_err(|why| format!("{name}: {why}")))
            }
            _ => Ok(Err(format!(
                "there is no file {name}; release the schema first"
            ))),
        }
    }

    /// What of these inputs, laid over each other, does not fit.
    async fn unfit(&self, inputs: &[Input], schema: &Schema) -> Result<Vec<String>, Error> {
        let mut layers = Vec::with_capacity(inputs.len());
        let mut hides = false;
        for input in inputs {
            let opened = self.content(&input.key, input.format, input.hash).await?;
            hides |= match self.after.get(&input.key) {
                Some(Document::Config(config)) => !config.spec.sealed.is_empty(),
                _ => false,
            };
            let parsed = parse(input.format, &opened)
                .map_err(|error| Error::Conflict(format!("{}: {error}", input.source)))?;
            layers.push(Layer {
                source: Arc::clone(&input.source),
                content: Arc::new(parsed),
            });
        }
        let laid = merge(&layers).map_err(|error| Error::Conflict(error.to_string()))?;
        let told = |violation: &Violation, place: String| {
            let Violation {
                pointer, detail, ..
            } = violation;
            let pointer = if pointer.is_empty() {
                "the whole"
            } else {
                pointer
            };
            let detail: String = detail.chars().take(300).collect();
            format!("{place}: at {pointer}: {detail}")
        };
        Ok(match laid {
            Laid::AsWritten(at) => {
                let Some(Layer { source, content }) = layers.get(at) else {
                    return Ok(Vec::new());
                };
                let Some(value) = content.value() else {
                    return Ok(vec![format!(
                        "{source} is {} and has no values",
                        content.format()
                    )]);
                };
                let violations = schema.violations(&value, hides);
                violations
                    .iter()
                    .map(|violation| {
                        told(violation, written_at(source, content, &violation.pointer))
                    })
                    .collect()
            }
            Laid::Merged(merged) => {
                let violations = schema.violations(&merged.root.to_json(), hides);
                violations
                    .iter()
                    .map(|violation| told(violation, laid_at(&merged.origins, &violation.pointer)))
                    .collect()
            }
        })
    }

    fn add(&mut self, written: &DocumentKey, file: &DocumentKey, at: &str, why: String) {
        if file == written {
            self.problems.add(at, why);
            return;
        }
        self.broken += 1;
        if self.broken <= NAMED {
            let why = format!(
                "{} would not be right for its readers any more: {why}",
                file.name
            );
            self.problems.add(at, why);
        }
    }

    fn finish(mut self) -> Result<(), Error> {
        if let Some(more @ 1..) = self.broken.checked_sub(NAMED) {
            self.problems
                .add("", format!("and {more} more of this kind"));
        }
        self.problems.into_result(()).map_err(Error::from)
    }
}

/// Where a value of a content stands, or what is around it.
fn written_at(source: &impl std::fmt::Display, content: &Parsed, pointer: &str) -> String {
    match content.position(pointer) {
        Some(position) => format!("{source}, {position}"),
        None => source.to_string(),
    }
}

/// Where a value of several contents was written: its own origin, that of what it is in, or of what is in it.
fn laid_at(origins: &[Origin], pointer: &str) -> String {
    let within = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let around = origins
        .iter()
        .filter(|origin| within(&origin.pointer, pointer));
    let found = around
        .max_by_key(|origin| origin.pointer.len())
        .or_else(|| {
            origins
                .iter()
                .find(|origin| within(pointer, &origin.pointer))
        });
    match found {
        Some(origin) => format!("{}, {}", origin.source, origin.position),
        None => "the whole".to_owned(),
    }
}
