//! Reads the whole state at one revision: at the start, and whenever the watch says so.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use guildhall_core::document::{Document, DocumentKey, Index, KeyPart, LIVE, Namespace, SPEC};
use guildhall_core::registry::{Catalog, Check};
use guildhall_store::{Entry, Range, ReadError, Store};

use super::State;
use super::policies;
use super::status;
use super::touches::{StatusMark, Touches};

/// Entries read at a time; between pages other tasks run.
const PAGE: usize = 4_096;

/// What was read.
pub(super) struct Loaded {
    pub(super) state: State,
    /// Entries that could not be read back, by key.
    pub(super) unreadable: usize,
}

/// The state as of now.
pub(super) async fn load(store: &dyn Store) -> Result<Loaded, ReadError> {
    loop {
        let incarnation = store.index().incarnation;
        let read = read(store).await;
        // A restore in between would pair the revision of one history with the name of another.
        if store.index().incarnation == incarnation {
            let (revision, entries) = match read {
                Ok(read) => read,
                Err(ReadError::Compacted { .. }) => continue,
                Err(error) => return Err(error),
            };
            return Ok(assemble(
                entries,
                Index {
                    incarnation,
                    revision,
                },
            ));
        }
    }
}

async fn read(store: &dyn Store) -> Result<(u64, Vec<Arc<Entry>>), ReadError> {
    let first = Range::prefix(LIVE).limit(PAGE);
    let mut page = store.range(first.clone()).await?;
    let revision = page.revision;
    let mut entries = std::mem::take(&mut page.entries);
    while page.more
        && let Some(last) = entries.last()
    {
        let after = first.clone().after(last.key.clone(), revision);
        page = store.range(after).await?;
        entries.append(&mut page.entries);
        tokio::task::yield_now().await;
    }
    Ok((revision, entries))
}

/// Puts specs and statuses together; specs sort before statuses.
fn assemble(entries: Vec<Arc<Entry>>, index: Index) -> Loaded {
    let mut unreadable = 0;
    let mut touches = Touches::at(index.revision);
    let specs = entries.partition_point(|entry| entry.key.starts_with(SPEC.as_bytes()));
    let mut statuses: HashMap<Bytes, &Arc<Entry>> = HashMap::with_capacity(entries.len() - specs);
    for entry in &entries[specs..] {
        statuses.insert(entry.key.clone(), entry);
    }
    let mut documents = Vec::with_capacity(specs);
    let mut service_checks: HashMap<(Namespace, Arc<str>), Vec<Check>> = HashMap::new();
    for entry in &entries[..specs] {
        let Some((KeyPart::Spec, key)) = DocumentKey::from_store_key(&entry.key) else {
            unreadable += 1;
            tracing::error!(key = %entry.key.escape_ascii(), "a key under the documents names none; it is not shown");
            continue;
        };
        match Document::from_stored(key.kind, entry.modified, &entry.value) {
            Ok(document) => {
                if let Document::Service(service) = &document
                    && !service.spec.checks.is_empty()
                {
                    service_checks.insert(
                        (key.namespace.clone(), key.name.clone()),
                        service.spec.checks.clone(),
                    );
                }
                documents.push((key, document));
            }
            Err(error) => {
                unreadable += 1;
                tracing::error!(%key, %error, "a stored document cannot be read; it is not shown");
            }
        }
    }
    for (key, document) in &mut documents {
        let entry = if statuses.is_empty() {
            None
        } else {
            statuses.remove(key.store_key(KeyPart::Status).as_bytes())
        };
        let service = key.service().filter(|_| !service_checks.is_empty());
        let service = service.map(|service| (key.namespace.clone(), Arc::from(service)));
        let checks = service
            .and_then(|service| service_checks.get(&service))
            .map_or(&[][..], Vec::as_slice);
        let read = match entry {
            Some(entry) => {
                touches.mark(
                    key,
                    StatusMark {
                        revision: entry.modified,
                        stored: true,
                    },
                );
                status::stored(document, entry, checks)
            }
            None => status::follow(document, checks),
        };
        if let Err(error) = read {
            unreadable += 1;
            tracing::error!(%key, %error, "a stored status cannot be read; the document is shown without");
        }
    }
    documents.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let catalog = Catalog::load(
        documents.iter().map(|(_, document)| document),
        index.revision,
    );
    let mut documents = documents.into_iter().collect();
    policies::begin(&mut documents);
    let state = State {
        index,
        documents,
        catalog,
        touches,
    };
    Loaded { state, unreadable }
}
