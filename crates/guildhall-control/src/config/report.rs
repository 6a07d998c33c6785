//! What a promotion means for those who read the target, told before it is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use guildhall_core::config::promotion::hidden;
use guildhall_core::config::seal::Sight;
use guildhall_core::config::{
    Config, ConfigName, Hidden, Origin, Outcome, Promotion, ReaderChange, SHARED, Source, parse,
};
use guildhall_core::document::{DocumentKey, Kind, Object};
use guildhall_core::history::changes_of;
use serde_json::Value;

use super::effective::{self, Effective};
use super::inputs::{Input, tag};
use super::promote::Candidate;
use super::sealing::see;
use super::{Configs, EffectiveQuery, write};
use crate::Error;
use crate::control::Shared;
use crate::view::State;

/// The most files of readers that are told of.
const READERS: usize = 16;
/// The most instances of a file that are named.
const INSTANCES: usize = 20;
/// The most hidden values that are told of.
const HIDDEN: usize = 100;

pub(super) async fn report(
    configs: &Configs,
    state: &State,
    candidate: &Candidate,
) -> Result<Promotion, Error> {
    let (shared, target) = (&*configs.shared, &candidate.target);
    let present = write::present(shared, target).await?;
    let (from, to) = (candidate.source.to_string(), target.name.to_string());
    let names = (&*to, &*from);
    let diff = configs.diff(present.as_deref(), Some(&candidate.config), names);
    let diff = diff.await?;
    let outcome = match &present {
        None => Outcome::Created,
        Some(present) => {
            // What is sealed is never the same bytes.
            let same = match candidate.is_sealed {
                true => diff.textual.as_deref() == Some(""),
                false => present.spec.content_hash == candidate.config.spec.content_hash,
            };
            match same && present.spec.format == Some(candidate.format) {
                true => Outcome::Unchanged,
                false => Outcome::Updated,
            }
        }
    };
    let files = readers(shared, state, target);
    let more_readers = files.len().saturating_sub(READERS);
    let mut readers = Vec::new();
    for file in files.into_iter().take(READERS) {
        readers.push(change(shared, state, candidate, file).await);
    }
    let (gray, version, revision) = match present.as_deref() {
        Some(Object { spec, metadata, .. }) => {
            let gray = spec.gray.iter().map(|gray| gray.name.clone());
            (gray.collect(), metadata.version, metadata.revision)
        }
        None => (Vec::new(), 0, 0),
    };
    Ok(Promotion {
        warnings: warnings(present.as_deref(), candidate, &gray, &readers),
        hides: hides(shared, state, candidate).await,
        diff,
        from,
        to,
        outcome,
        version,
        revision,
        draft: None,
        readers,
        more_readers,
        gray,
    })
}

/// The files of whose readers the target is an input, its own first.
fn readers(shared: &Shared, state: &State, target: &DocumentKey) -> Vec<DocumentKey> {
    let mut files = vec![target.clone()];
    let Ok(name) = ConfigName::parse(&target.name) else {
        return files;
    };
    if name.service != SHARED && name.environment != SHARED {
        return files;
    }
    let first = DocumentKey::new(Kind::Config, target.namespace.clone(), "");
    let written = state.documents.range(first.clone()..).map(|(key, _)| key);
    let written =
        written.take_while(|key| key.kind == first.kind && key.namespace == first.namespace);
    let mut names: BTreeSet<Arc<str>> = written.map(|key| Arc::clone(&key.name)).collect();
    let listened =
        |listeners: &mut super::listeners::Listeners| listeners.read_in(&target.namespace);
    names.extend(shared.listeners.change(listened));
    names.remove(&target.name);
    let has_it = |reader: &Arc<str>| {
        ConfigName::parse(reader).is_ok_and(|reader| reader.inputs().contains(&name))
    };
    let others = names.into_iter().filter(has_it);
    files.extend(others.map(|name| DocumentKey::new(Kind::Config, target.namespace.clone(), name)));
    files
}

/// What changes for those who ask for `file`.
async fn change(
    shared: &Shared,
    state: &State,
    candidate: &Candidate,
    file: DocumentKey,
) -> ReaderChange {
    let listeners = shared
        .listeners
        .change(|listeners| listeners.watching(&file, INSTANCES));
    let name = file.name.to_string();
    let query = EffectiveQuery {
        key: file,
        reader: None,
        sight: Sight::Masked,
    };
    let before = effective::effective(shared, &query, state).await.ok();
    let inputs = promoted(&query, state, candidate);
    let (changes, error) =
        match effective::make(shared, &inputs, &(tag(&inputs), Sight::Masked)).await {
            Ok(after) => {
                let before = before.as_deref().and_then(value);
                let after = value(&after);
                let changes = after.map(|after| changes_of(before.as_ref(), Some(&after)));
                (changes, None)
            }
            Err(error) => (None, Some(error.to_string())),
        };
    ReaderChange {
        file: name,
        changes,
        error,
        listeners,
    }
}

/// The inputs as they would be. A target that is not there yet takes its place among them.
fn promoted(query: &EffectiveQuery, state: &State, candidate: &Candidate) -> Vec<Input> {
    let target = &candidate.target;
    let mut inputs = query.inputs(state);
    let Some(hash) = candidate.config.spec.content_hash else {
        return inputs;
    };
    let version = match inputs.iter().find(|input| input.key == *target) {
        Some(present) => present.source.version + 1,
        None => 1,
    };
    let new = Input {
        key: target.clone(),
        source: Arc::new(Source {
            config: target.name.to_string(),
            version,
            gray: None,
        }),
        format: candidate.format,
        hash,
    };
    let order: Vec<String> = query.names().collect();
    let place = |key: &DocumentKey| order.iter().position(|name| **name == *key.name);
    inputs.retain(|input| input.key != *target);
    let at = inputs
        .iter()
        .position(|input| place(&input.key) > place(target));
    inputs.insert(at.unwrap_or(inputs.len()), new);
    inputs
}

fn value(found: &Effective) -> Option<Value> {
    parse(found.format, &found.content).ok()?.value()
}

/// What the files below the target say otherwise.
async fn hides(shared: &Shared, state: &State, candidate: &Candidate) -> Vec<Hidden> {
    let query = EffectiveQuery {
        key: candidate.target.clone(),
        reader: None,
        sight: Sight::Masked,
    };
    let mut below = query.inputs(state);
    below.retain(|input| input.key != candidate.target);
    let Ok(found) = effective::make(shared, &below, &(tag(&below), Sight::Masked)).await else {
        return Vec::new();
    };
    let (target, format) = (&candidate.target, candidate.format);
    let seen = see(
        shared,
        target,
        format,
        candidate.content.clone(),
        Sight::Masked,
    );
    let promoted = seen.ok().and_then(|seen| parse(format, &seen.bytes).ok());
    let promoted = promoted.and_then(|promoted| promoted.value());
    let (Some(base), Some(promoted)) = (value(&found), promoted) else {
        return Vec::new();
    };
    // A single input has no origins: all is its own.
    let alone = match found.inputs.as_slice() {
        [one] => Some(Arc::clone(one)),
        _ => None,
    };
    let origins: &[Origin] = &found.origins;
    let mut hides = hidden(&base, origins, &promoted, HIDDEN);
    for hidden in &mut hides {
        hidden.source = hidden.source.take().or_else(|| alone.clone());
    }
    hides
}

fn warnings(
    present: Option<&Object<Config>>,
    candidate: &Candidate,
    gray: &[String],
    readers: &[ReaderChange],
) -> Vec<String> {
    let mut warnings = Vec::new();
    if !gray.is_empty() {
        warnings.push(format!(
            "gray releases go on: who has {} keeps it until it is promoted or aborted",
            gray.join(", ")
        ));
    }
    let before = present.and_then(|present| present.spec.format);
    if let Some(before) = before.filter(|before| *before != candidate.format) {
        let after = candidate.format;
        warnings.push(format!("the target is {before} so far and becomes {after}"));
    }
    let approvals = present.map_or(0, |present| present.spec.approvals());
    if approvals > 0 {
        warnings.push(format!(
            "the target needs the approval of others ({approvals}): promote it as a draft"
        ));
    }
    for reader in readers {
        if let Some(error) = &reader.error {
            warnings.push(format!(
                "readers of {} would get nothing: {error}",
                reader.file
            ));
        }
    }
    warnings
}
