//! The past of one document, on its way into a transaction.

use std::sync::Arc;

use bytes::Bytes;
use guildhall_core::document::{Document, DocumentKey, Kind, Timestamp};
use guildhall_core::history::{Act, Head, Provenance, Version, VersionRef, entry_key, head_key};
use guildhall_store::{BlobHash, Compare, Entry, Op, Store, Transaction};

use super::HistoryOptions;
use crate::Error;

/// What is said of a version that no history knew of when it was written.
const ADOPTED: &str = "as it stood when its history began";

/// What an author says of a write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Note {
    /// Why.
    pub(crate) comment: Option<Arc<str>>,
    /// The version that the write goes back to.
    pub(crate) to: Option<u32>,
    /// Where what is written comes from, if not from its author.
    pub(crate) provenance: Option<Box<Provenance>>,
    /// Whether others agreed to it.
    pub(crate) standing: Standing,
}

/// Whether others agreed to a write, where its document asks for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody was asked.
    #[default]
    Direct,
    /// So many others than its author approved it.
    Approved(u32),
    /// There is nothing to ask: readers get what they got before.
    Same,
    /// It is only tried: others may agree later.
    Proposed,
}

/// A document's head as the store has it, and what is to be added.
#[derive(Debug)]
pub(crate) struct Past<'a> {
    key: &'a DocumentKey,
    store_key: Bytes,
    pub(crate) head: Head,
    /// The revision at which the store has the head.
    revision: Option<u64>,
    added: Vec<Op>,
}

impl<'a> Past<'a> {
    pub(crate) async fn read(store: &dyn Store, key: &'a DocumentKey) -> Result<Self, Error> {
        let store_key = Bytes::from(head_key(key));
        let entry = store.get(&store_key).await?;
        Ok(Self {
            key,
            store_key,
            head: match &entry {
                Some(entry) => serde_json::from_slice(&entry.value)?,
                None => Head::default(),
            },
            revision: entry.map(|entry| entry.modified),
            added: Vec::new(),
        })
    }

    /// The document's kind.
    pub(super) fn kind(&self) -> Kind {
        self.key.kind
    }

    /// Makes a version of what stands there, if it was written without becoming one.
    pub(crate) fn adopt(&mut self, current: &Document) -> Result<(), Error> {
        let metadata = current.metadata();
        if metadata.version != 0 && metadata.version == self.head.last {
            return Ok(());
        }
        let action = match self.head.last {
            0 => Act::Created,
            _ => Act::Updated,
        };
        let (mut current, revision) = (current.clone(), metadata.revision);
        let version = Version {
            version: self.head.push(),
            revision,
            at: metadata.updated_at.unwrap_or_default(),
            by: metadata
                .updated_by
                .clone()
                .unwrap_or_else(|| "unknown".to_owned()),
            comment: Some(ADOPTED.to_owned()),
            action,
            to: None,
            provenance: None,
        };
        current.metadata_mut().version = version.version;
        self.put(&version, Some((&current, &current.to_stored()?)))
    }

    /// Counts the next version; [`Past::add`] is to follow.
    pub(crate) fn next(&mut self) -> u32 {
        self.head.push()
    }

    /// Adds the version that was just counted: `document`, stored as the bytes beside it, or its
    /// deletion.
    pub(crate) fn add(
        &mut self,
        (at, by): (Timestamp, &str),
        note: &Note,
        is_new: bool,
        document: Option<(&Document, &[u8])>,
    ) -> Result<(), Error> {
        let action = match (document, note.to) {
            (None, _) => Act::Deleted,
            (Some(_), Some(_)) => Act::RolledBack,
            (Some(_), None) if is_new => Act::Created,
            (Some(_), None) => Act::Updated,
        };
        self.head.deleted_at = document.is_none().then_some(at);
        let version = Version {
            version: self.head.last,
            revision: 0,
            at,
            by: by.to_owned(),
            comment: note.comment.as_deref().map(str::to_owned),
            action,
            to: note.to,
            provenance: note.provenance.clone(),
        };
        self.put(&version, document)
    }

    fn put(
        &mut self,
        version: &Version,
        document: Option<(&Document, &[u8])>,
    ) -> Result<(), Error> {
        self.added.push(Op::Put {
            key: entry_key(self.key, version.version).into(),
            value: version
                .to_stored(document.map(|(_, stored)| stored))?
                .into(),
            lease: None,
            blobs: document.map_or_else(Vec::new, |(document, _)| blobs(document)),
        });
        Ok(())
    }

    /// Joins the transaction: the versions, the head, and the removal of what is kept no longer. The
    /// head's compare goes to `compare`.
    pub(crate) fn join(
        mut self,
        transaction: &mut Transaction,
        compare: &mut Vec<Compare>,
        options: &HistoryOptions,
    ) -> Result<(), Error> {
        let given_up = self.head.trim(options.keep.max(HistoryOptions::LEAST));
        transaction.then.append(&mut self.added);
        transaction.then.extend(self.removal(given_up));
        transaction.then.push(self.put_head()?);
        compare.push(self.compare());
        Ok(())
    }

    /// The removal of versions.
    pub(super) fn removal(&self, versions: impl IntoIterator<Item = u32>) -> Vec<Op> {
        let removed = versions.into_iter();
        removed
            .map(|version| Op::delete(entry_key(self.key, version)))
            .collect()
    }

    pub(super) fn put_head(&self) -> Result<Op, Error> {
        let head = serde_json::to_vec(&self.head)?;
        Ok(Op::put(self.store_key.clone(), head))
    }

    /// That nobody changed the head since it was read.
    pub(super) fn compare(&self) -> Compare {
        match self.revision {
            Some(revision) => Compare::modified(self.store_key.clone(), revision),
            None => Compare::absent(self.store_key.clone()),
        }
    }

    /// The number of the version that `wanted` names.
    pub(super) fn find(&self, wanted: &VersionRef) -> Result<u32, Error> {
        self.head.find(wanted).ok_or_else(|| self.missing(wanted))
    }

    /// One version as the store has it. It may have been given up since the head was read.
    pub(super) async fn entry(
        &self,
        store: &dyn Store,
        version: u32,
    ) -> Result<Option<Arc<Entry>>, Error> {
        let key = entry_key(self.key, version);
        Ok(store.get(key.as_bytes()).await?)
    }

    pub(super) fn missing(&self, wanted: &VersionRef) -> Error {
        let Head { oldest, last, .. } = self.head;
        Error::NoVersion {
            key: self.key.clone(),
            wanted: wanted.clone(),
            known: (last > 0).then_some((oldest, last)),
        }
    }
}

/// The blobs that a document's entries name.
pub(crate) fn blobs(document: &Document) -> Vec<BlobHash> {
    document.blobs().into_iter().map(BlobHash::new).collect()
}
