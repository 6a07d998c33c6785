//! What others call.

use std::sync::Arc;

use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::document::{
    Document, DocumentKey, Index, KeyPart, Kind, Metadata, Object, Problems,
};
use guildhall_core::history::{Head, Version, VersionRef};
use guildhall_store::Transaction;

use super::{Note, Past, tags};
use crate::Error;
use crate::config::{Asked, Release, write_all};
use crate::control::Shared;
use crate::documents::write::{Condition, Put, put};
use crate::documents::{WriteOptions, Written};

/// The most versions in one page.
const PAGE: usize = 500;

/// The versions of documents. Cheap to clone.
#[derive(Clone)]
pub struct History {
    pub(crate) shared: Arc<Shared>,
}

/// Some versions of a document.
#[derive(Clone, Debug)]
pub struct Versions {
    /// What is known of all of them.
    pub head: Head,
    /// Those asked for, the newest first.
    pub versions: Vec<Version>,
    /// Whether there are older ones.
    pub more: bool,
}

/// One version, with what it said.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// How it came about.
    pub version: Version,
    /// Its tags.
    pub tags: Vec<String>,
    /// The document, without status; `None` if this is its deletion.
    pub document: Option<Document>,
}

impl History {
    /// The versions before `before` (`None`: all), the newest first, at most `limit` and 500.
    ///
    /// A document that was last written when no history was kept has none yet.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NotFound`] if there neither is nor was such a document, those of
    /// the store.
    pub async fn list(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        before: Option<u32>,
        limit: usize,
    ) -> Result<Versions, Error> {
        let past = self.open(caller, key).await?;
        let mut numbers = past.head.versions(before);
        let mut versions = Vec::new();
        for number in numbers.by_ref().take(limit.clamp(1, PAGE)) {
            // Given up since the head was read: it was among the oldest.
            if let Some(entry) = past.entry(&*self.shared.store, number).await? {
                versions.push(Version::from_stored(entry.modified, &entry.value)?);
            }
        }
        let more = numbers.next().is_some();
        drop(numbers);
        Ok(Versions {
            head: past.head,
            versions,
            more,
        })
    }

    /// One version, by its number or a tag.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NotFound`], [`Error::NoVersion`], those of the store.
    pub async fn read(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        version: &VersionRef,
    ) -> Result<Recorded, Error> {
        let past = self.open(caller, key).await?;
        self.recorded(&past, version).await
    }

    async fn recorded(&self, past: &Past<'_>, version: &VersionRef) -> Result<Recorded, Error> {
        let number = past.find(version)?;
        let entry = past.entry(&*self.shared.store, number).await?;
        let entry = entry.ok_or_else(|| past.missing(version))?;
        let version = Version::from_stored(entry.modified, &entry.value)?;
        Ok(Recorded {
            document: version.document(past.kind(), &entry.value)?,
            tags: past.head.tags_of(number),
            version,
        })
    }

    /// Two versions to compare: `to` (`None`: the last) and `from` (`None`: the one before `to`,
    /// and nothing before the first).
    ///
    /// # Errors
    /// Those of [`History::read`].
    pub async fn pair(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        from: Option<&VersionRef>,
        to: Option<&VersionRef>,
    ) -> Result<(Option<Recorded>, Recorded), Error> {
        let past = self.open(caller, key).await?;
        let last = VersionRef::Number(past.head.last);
        let to = past.find(to.unwrap_or(&last))?;
        let from = match from {
            Some(from) => Some(past.find(from)?),
            None => past.head.versions(Some(to)).next(),
        };
        let from = match from {
            Some(from) => Some(self.recorded(&past, &from.into()).await?),
            None => None,
        };
        Ok((from, self.recorded(&past, &to.into()).await?))
    }

    /// Puts an earlier version in the place of what is there now, or of nothing: a write like any
    /// other, which becomes a version itself.
    ///
    /// # Errors
    /// Those of [`History::read`] and of [`Documents::write`](crate::documents::Documents::write);
    /// [`Error::Invalid`] if the version is a deletion, or breaks a rule that there was not yet.
    pub async fn rollback(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        to: &VersionRef,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        allowed(caller, Verb::Write, key)?;
        if key.kind != Kind::Config {
            options.no_draft(key.kind)?;
        }
        let note = options.note()?;
        let recorded = self.read(caller, key, to).await?;
        let number = recorded.version.version;
        let Some(mut document) = recorded.document else {
            let detail = format!(
                "version {number} of {key} is its deletion; delete the document, or go back to another version"
            );
            return Err(Problems::one("/version", detail).into());
        };
        let metadata = document.metadata_mut();
        *metadata = Metadata::portable(metadata);
        let (shared, precondition, dry_run) = (&self.shared, options.precondition, options.dry_run);
        let note = Note {
            to: Some(number),
            ..note
        };
        let beside = Transaction::new();
        let written = match document {
            // What is released again is checked like what is new.
            Document::Config(config) => {
                let release = Release {
                    asked: Asked::Earlier(Box::new(Object::clone(&config))),
                    precondition,
                    note,
                };
                write_all(shared, caller, &[release], &beside, dry_run).await?
            }
            document => {
                let condition = Condition::When(precondition);
                let put_it = Put {
                    document,
                    condition,
                    note,
                };
                put(shared, caller, vec![put_it], &beside, dry_run).await?
            }
        };
        let mut written = written.into_iter();
        written.next().ok_or_else(|| Error::NotFound(key.clone()))
    }

    /// Gives a version a name, which it keeps however many come after it; the name may have been
    /// another version's. Answers the version's number and the index that has the tag.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NoVersion`], [`Error::Invalid`], [`Error::Conflict`],
    /// [`Error::Contention`], those of the store.
    pub async fn tag(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        tag: &str,
        version: &VersionRef,
    ) -> Result<(u32, Index), Error> {
        allowed(caller, Verb::Write, key)?;
        tags::tag(&self.shared, caller, key, tag, version).await
    }

    /// Takes a tag away. A version that only its tag kept is gone with it.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NoVersion`], [`Error::Contention`], those of the store.
    pub async fn untag(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        tag: &str,
    ) -> Result<Index, Error> {
        allowed(caller, Verb::Write, key)?;
        tags::untag(&self.shared, caller, key, tag).await
    }

    /// The past of a document that is or was there.
    async fn open<'a>(&self, caller: &Caller, key: &'a DocumentKey) -> Result<Past<'a>, Error> {
        allowed(caller, Verb::Read, key)?;
        let store = &*self.shared.store;
        let past = Past::read(store, key).await?;
        if past.head.last == 0 {
            let live = store.get(key.store_key(KeyPart::Spec).as_bytes()).await?;
            live.ok_or_else(|| Error::NotFound(key.clone()))?;
        }
        Ok(past)
    }
}

/// Whether the caller may, and whether there is any history of such documents.
fn allowed(caller: &Caller, verb: Verb, key: &DocumentKey) -> Result<(), Error> {
    let DocumentKey {
        kind,
        namespace,
        name,
    } = key;
    authorize(caller, verb, Some(*kind), Some(namespace), Some(name))?;
    if kind.keeps_history() {
        return Ok(());
    }
    let detail = format!("no history is kept of {}", kind.plural());
    Err(Problems::one("/kind", detail).into())
}
