//! Which status a document is shown with: the stored one, or what follows from the documents.

use std::sync::Arc;

use guildhall_core::document::{Document, DocumentKey, Object, Timestamp};
use guildhall_core::registry::status::{derived, effective_checks};
use guildhall_core::registry::{Catalog, Check, Instance, LockStatus};
use guildhall_store::Entry;

use super::State;

/// Gives `document` the status that `entry` keeps.
///
/// A lock's token is the revision that put its status: the holder cannot know it beforehand, and
/// it only grows.
pub(super) fn stored(
    document: &mut Document,
    entry: &Entry,
    of_service: &[Check],
) -> Result<(), serde_json::Error> {
    match document {
        Document::Instance(object) => {
            let status = serde_json::from_slice(&entry.value)?;
            Arc::make_mut(object).status = Some(status);
            fit(document, of_service);
        }
        Document::Lock(object) => {
            let mut status: LockStatus = serde_json::from_slice(&entry.value)?;
            if let Some(holder) = &mut status.holder {
                holder.token = entry.modified;
            }
            Arc::make_mut(object).status = Some(status);
        }
        other => *other = other.with_stored_status(Some(&entry.value))?,
    }
    Ok(())
}

/// Makes an instance's stored status fit the checks that it has now.
pub(super) fn fit(document: &mut Document, of_service: &[Check]) {
    if let Document::Instance(object) = document {
        let object = Arc::make_mut(object);
        let since = object.metadata.updated_at.unwrap_or_default();
        if let Some(status) = &mut object.status {
            status.fit(effective_checks(&object.spec, of_service), since);
        }
    }
}

/// Gives `document` the status of one that the store keeps none for.
pub(super) fn follow(
    document: &mut Document,
    of_service: &[Check],
) -> Result<(), serde_json::Error> {
    match document {
        Document::Instance(object) => {
            let status = derived(&object.spec, of_service, since(object));
            Arc::make_mut(object).status = Some(status);
        }
        Document::Lock(object) => Arc::make_mut(object).status = Some(LockStatus::default()),
        other => *other = other.with_stored_status(None)?,
    }
    Ok(())
}

/// Gives a new document the status it begins with.
pub(crate) fn begin(document: &mut Document, state: &State) {
    let key = document.key();
    let checks = default_checks(&state.catalog, &key);
    if let Err(error) = follow(document, checks) {
        tracing::error!(%key, %error, "a new document cannot be given its status");
    }
}

/// The checks of instances of the service that bring none of their own.
pub(super) fn default_checks<'a>(catalog: &'a Catalog, key: &DocumentKey) -> &'a [Check] {
    let service = key
        .service()
        .and_then(|service| catalog.service(&key.namespace, service));
    service.map_or(&[], |entry| entry.default_checks())
}

fn since(object: &Object<Instance>) -> Timestamp {
    object.metadata.created_at.unwrap_or_default()
}
