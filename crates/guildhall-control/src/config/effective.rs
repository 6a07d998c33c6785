//! What a reader's files come to, made once for all who have the same ones.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use guildhall_core::config::format::render;
use guildhall_core::config::merge::Effective as Laid;
use guildhall_core::config::seal::Sight;
use guildhall_core::config::{Format, Layer, Origin, Source, merge, parse};
use quick_cache::{Weighter, sync::Cache};

use super::EffectiveQuery;
use super::contents::entries;
use super::inputs::{Input, tag};
use super::sealing::see;
use crate::Error;
use crate::control::Shared;
use crate::view::State;

/// What files laid over each other come to.
#[derive(Debug)]
pub struct Effective {
    /// Covers every input: it is another one as soon as one of them is.
    pub tag: Arc<str>,
    /// How it is written: as the most special input is.
    pub format: Format,
    /// The bytes. A single input's are as they were written.
    pub content: Bytes,
    /// What it is made of, the most general first.
    pub inputs: Vec<Arc<Source>>,
    /// What is seen of sealed values; `None`: nothing in it is sealed.
    pub sight: Option<Sight>,
    /// Where each value was written; empty where there is one input, or no values.
    pub origins: Vec<Origin>,
    rendering: Mutex<Option<Bytes>>,
}

impl Effective {
    /// What `render` makes of it, made once for all who are told. `render` must need nothing but this.
    ///
    /// # Errors
    /// Those of `render`.
    pub fn rendered<E>(&self, render: impl FnOnce(&Self) -> Result<Bytes, E>) -> Result<Bytes, E> {
        // Held while rendering: of 10,000 who come at once, one does the work.
        let mut rendering = self
            .rendering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &*rendering {
            Some(bytes) => Ok(bytes.clone()),
            None => Ok(rendering.insert(render(self)?).clone()),
        }
    }
}

/// What was made last, by tag and sight.
#[derive(Debug)]
pub(crate) struct Rendered {
    kept: Cache<Seen, Arc<Effective>, ByBytes>,
}

/// Which one, and what is seen of its sealed values.
type Seen = (Arc<str>, Sight);

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Seen, Arc<Effective>> for ByBytes {
    fn weight(&self, _: &Seen, effective: &Arc<Effective>) -> u64 {
        let origins = effective.origins.iter();
        let origins: usize = origins
            .map(|origin| size_of::<Origin>() + origin.pointer.len())
            .sum();
        // The rendering of it has the content once more.
        (2 * effective.content.len() + origins + 512) as u64
    }
}

impl Rendered {
    /// Keeps about `budget` bytes.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            kept: Cache::with_weighter(entries(budget), budget, ByBytes),
        }
    }
}

/// What `query` asks for, as `state` has it.
pub(super) async fn effective(
    shared: &Shared,
    query: &EffectiveQuery,
    state: &State,
) -> Result<Arc<Effective>, Error> {
    let inputs = query.inputs(state);
    if inputs.is_empty() {
        return Err(Error::NotFound(query.key.clone()));
    }
    let seen = (tag(&inputs), query.sight);
    let make = make(shared, &inputs, &seen);
    shared.rendered.kept.get_or_insert_async(&seen, make).await
}

pub(super) async fn make(
    shared: &Shared,
    inputs: &[Input],
    (tag, sight): &Seen,
) -> Result<Arc<Effective>, Error> {
    let mut seen_sealed = None;
    let (mut contents, mut layers) = (Vec::new(), Vec::new());
    for input in inputs {
        let store = &*shared.store;
        let content = shared.contents.get(store, &input.key, input.hash).await?;
        // Before they are merged: what is sealed opens only in its own file.
        let seen = see(shared, &input.key, input.format, content, *sight)?;
        let content = seen.bytes;
        seen_sealed = seen_sealed.or(seen.sight);
        // Written by a newer version, maybe, whose rules are not these.
        let parsed = parse(input.format, &content).map_err(|error| {
            Error::Conflict(format!(
                "version {} of {} is not {}: {error}; write it again",
                input.source.version, input.key, input.format
            ))
        })?;
        contents.push(content);
        layers.push(Layer {
            source: Arc::clone(&input.source),
            content: Arc::new(parsed),
        });
    }
    let conflict = |error: &dyn std::fmt::Display| Error::Conflict(error.to_string());
    let (format, content, origins) = match merge(&layers).map_err(|error| conflict(&error))? {
        Laid::AsWritten(at) => {
            let format = inputs.get(at).map_or(Format::Binary, |input| input.format);
            let content = contents.into_iter().nth(at).unwrap_or_default();
            (format, content, Vec::new())
        }
        Laid::Merged(merged) => {
            let text = render(merged.format, &merged.root).map_err(|error| conflict(&error))?;
            (merged.format, Bytes::from(text), merged.origins)
        }
    };
    Ok(Arc::new(Effective {
        tag: Arc::clone(tag),
        format,
        content,
        inputs: inputs
            .iter()
            .map(|input| Arc::clone(&input.source))
            .collect(),
        sight: seen_sealed,
        origins,
        rendering: Mutex::new(None),
    }))
}
