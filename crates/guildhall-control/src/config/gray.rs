//! Gray releases: how they begin, become everyone's, and are taken back. Each is a release of the file.

use std::sync::Arc;

use bytes::Bytes;
use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::config::{Config, ContentHash, Format, GrayRelease, Layer, Source};
use guildhall_core::config::{format::render, merge, merge::Effective as Laid, parse};
use guildhall_core::document::{DocumentKey, Object, Problems};

use super::write::{self, Asked};
use crate::Error;
use crate::control::Shared;
use crate::documents::{WriteOptions, Written};

/// Begins a gray release, or replaces the one of its name.
pub(super) async fn start(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    release: &GrayRelease,
    options: WriteOptions,
) -> Result<Written, Error> {
    let change = |config: &mut Config| {
        match config.gray.iter_mut().find(|one| one.name == release.name) {
            Some(known) => {
                let GrayRelease {
                    content_hash,
                    started_at,
                    ..
                } = known.clone();
                *known = release.clone();
                known.started_at = started_at;
                let has_content = known.content.is_some() || known.content_base64.is_some();
                if known.content_hash.is_none() && !has_content {
                    known.content_hash = content_hash;
                }
            }
            None => config.gray.push(release.clone()),
        }
        Ok(())
    };
    let change = &change;
    write::write(shared, caller, Asked::Change { key, change }, options).await
}

/// Takes a gray release back.
pub(super) async fn abort(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    name: &str,
    options: WriteOptions,
) -> Result<Written, Error> {
    let change = |config: &mut Config| {
        find(key, config, name)?;
        config.gray.retain(|gray| gray.name != name);
        Ok(())
    };
    let change = &change;
    write::write(shared, caller, Asked::Change { key, change }, options).await
}

/// Makes the content of a gray release the file's, and ends it.
pub(super) async fn promote(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    name: &str,
    options: WriteOptions,
) -> Result<Written, Error> {
    let (namespace, word) = (Some(&key.namespace), Some(&*key.name));
    authorize(caller, Verb::Write, Some(key.kind), namespace, word)?;
    let present = write::present(shared, key).await?;
    let present = present.ok_or_else(|| Error::NotFound(key.clone()))?;
    let gray = find(key, &present.spec, name)?.clone();
    let merged = match gray.overlay {
        true => Some(overlaid(shared, &present, &gray).await?),
        false => None,
    };
    let (base, over) = (present.spec.content_hash, gray.content_hash);
    let change = |config: &mut Config| {
        let same = find(key, config, name)?.content_hash == over;
        if !same || config.content_hash != base {
            let detail =
                format!("{key} was released by others at the same time; look at it, and try again");
            return Err(Error::Conflict(detail));
        }
        config.gray.retain(|gray| gray.name != name);
        config.content_hash = over.filter(|_| merged.is_none());
        config.content.clone_from(&merged);
        Ok(())
    };
    let change = &change;
    write::write(shared, caller, Asked::Change { key, change }, options).await
}

fn find<'a>(key: &DocumentKey, config: &'a Config, name: &str) -> Result<&'a GrayRelease, Error> {
    let found = config.gray.iter().find(|gray| gray.name == name);
    found.ok_or_else(|| Error::NoGray {
        key: key.clone(),
        name: name.to_owned(),
        known: config.gray.iter().map(|gray| gray.name.clone()).collect(),
    })
}

/// What the readers of an overlay have of this file alone.
async fn overlaid(
    shared: &Shared,
    present: &Object<Config>,
    gray: &GrayRelease,
) -> Result<String, Error> {
    let (key, format) = (present.key(), present.spec.format.unwrap_or(Format::Binary));
    let layer = async |hash: Option<ContentHash>| {
        let content = match hash {
            Some(hash) => shared.contents.get(&*shared.store, &key, hash).await?,
            None => Bytes::new(),
        };
        let content =
            parse(format, &content).map_err(|error| Error::Conflict(error.to_string()))?;
        Ok::<_, Error>(Layer {
            source: Arc::new(Source {
                config: key.name.to_string(),
                version: present.metadata.version.into(),
                gray: None,
            }),
            content: Arc::new(content),
        })
    };
    let layers = [
        layer(present.spec.content_hash).await?,
        layer(gray.content_hash).await?,
    ];
    let conflict = |error: &dyn std::fmt::Display| Error::Conflict(error.to_string());
    match merge(&layers).map_err(|error| conflict(&error))? {
        Laid::Merged(merged) => {
            render(merged.format, &merged.root).map_err(|error| conflict(&error))
        }
        Laid::AsWritten(at) => {
            let text = layers.get(at).and_then(|layer| layer.content.text());
            text.map(str::to_owned).ok_or_else(|| {
                let detail = "what is binary is not laid over anything; begin it without overlay";
                Problems::one("/overlay", detail).into()
            })
        }
    }
}
