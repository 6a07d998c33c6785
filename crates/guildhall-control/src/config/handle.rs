//! What others call.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::config::seal::Sight;
use guildhall_core::config::{
    Config, ContentDiff, DraftRow, Format, GrayRelease, ListenerRow, diff, parse,
};
use guildhall_core::document::{DocumentKey, Index, Namespace, Object};

use super::drafts;
use super::effective::{self, Effective};
use super::gray;
use super::promote::{self, Promote, Promoted};
use super::sealing::{masked, see};
use super::{EffectiveQuery, EffectiveWatch, write};
use crate::Error;
use crate::control::Shared;
use crate::documents::{WriteOptions, Written};

/// A content, as its reader may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// How it is written.
    pub format: Format,
    /// The bytes; as they were written, but for what is sealed.
    pub bytes: Bytes,
    /// What is seen of sealed values; `None`: nothing in it is sealed.
    pub sight: Option<Sight>,
}

/// Files of configuration. Cheap to clone.
#[derive(Clone)]
pub struct Configs {
    pub(crate) shared: Arc<Shared>,
}

impl Configs {
    /// Makes a release of `content`: what else the document says stays as it is.
    ///
    /// `media_type` tells the format of a file whose name does not and that is new.
    ///
    /// # Errors
    /// Those of [`Documents::write`](crate::documents::Documents::write); [`Error::Invalid`] with a line and a column for
    /// content that is not of its format.
    pub async fn release(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        content: Bytes,
        media_type: Option<&str>,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        let asked = write::Asked::Content {
            key,
            content,
            format: None,
            media_type,
            sealed: &[],
        };
        write::write(&self.shared, caller, asked, options).await
    }

    /// Seals the values of a file, and of its gray releases, with the current key: what another one sealed.
    ///
    /// # Errors
    /// [`Error::NoSealKey`]; those of [`Configs::release`].
    pub async fn reseal(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        write::write(&self.shared, caller, write::Asked::Reseal { key }, options).await
    }

    /// The content of a document that was read, live or from its history.
    ///
    /// # Errors
    /// [`Error::Denied`] if sealed values are to be revealed and the caller may not; [`Error::NoSealKey`],
    /// [`Error::ContentLost`], those of the store.
    pub async fn content(
        &self,
        caller: &Caller,
        config: &Object<Config>,
        sight: Sight,
    ) -> Result<Content, Error> {
        let key = config.key();
        may_see(caller, &key, sight)?;
        let (format, bytes) = self.kept(config).await?;
        let seen = see(&self.shared, &key, format, bytes, sight)?;
        Ok(Content {
            format,
            bytes: seen.bytes,
            sight: seen.sight,
        })
    }

    /// A content as it is kept.
    pub(super) async fn kept(&self, config: &Object<Config>) -> Result<(Format, Bytes), Error> {
        let Config {
            format,
            content_hash,
            ..
        } = config.spec;
        let content = match content_hash {
            Some(hash) => {
                let store = &*self.shared.store;
                self.shared.contents.get(store, &config.key(), hash).await?
            }
            None => Bytes::new(),
        };
        Ok((format.unwrap_or(Format::Binary), content))
    }

    /// What leads from the content of one document to that of another; `None` stands for no content. `names` are what the
    /// unified diff calls the two. Sealed values are masked; those that changed say so.
    ///
    /// # Errors
    /// [`Error::ContentLost`], those of the store.
    pub async fn diff(
        &self,
        before: Option<&Object<Config>>,
        after: Option<&Object<Config>>,
        names: (&str, &str),
    ) -> Result<ContentDiff, Error> {
        let none = || (Format::Text, Bytes::new());
        let read = async |config: Option<&Object<Config>>| match config {
            Some(config) => self.kept(config).await,
            None => Ok(none()),
        };
        let (old, new) = (read(before).await?, read(after).await?);
        // Kept content was read once; what a newer version wrote is compared line by line, or not at all.
        let parsed = |(format, content): &(Format, Bytes)| {
            [*format, Format::Text]
                .into_iter()
                .find_map(|format| parse(format, content).ok())
        };
        let keys = [before, after].map(|config| config.map(Object::key));
        Ok(match (parsed(&old), parsed(&new)) {
            (Some(old), Some(new)) => {
                let (old, new) = masked(&self.shared, (old, new), &keys);
                diff(&old, &new, names)
            }
            _ => ContentDiff::default(),
        })
    }

    /// What the files that `query` names come to.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::NotFound`] if there is none of them; [`Error::Conflict`] if they do not go together.
    pub async fn effective(
        &self,
        caller: &Caller,
        query: &EffectiveQuery,
    ) -> Result<Arc<Effective>, Error> {
        allowed(caller, query)?;
        let state = self.shared.view.load();
        effective::effective(&self.shared, query, &state).await
    }

    /// The long poll: what the files come to once that is not what is named `known`, or `None` after `wait`.
    ///
    /// # Errors
    /// Those of [`Configs::effective`] and [`Configs::watch`].
    pub async fn changed(
        &self,
        caller: &Caller,
        query: &EffectiveQuery,
        known: &str,
        wait: Duration,
    ) -> Result<Option<Arc<Effective>>, Error> {
        let mut watch = self.watch(caller, query.clone(), Some(known))?;
        match tokio::time::timeout(wait, watch.next()).await {
            Ok(Some(found)) => found.map(Some),
            Ok(None) => Err(Error::Stopped),
            Err(_) => Ok(None),
        }
    }

    /// Watches what the files come to: now, unless it is named `known`, and whenever that changes.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::TooManyWatchers`].
    pub fn watch(
        &self,
        caller: &Caller,
        query: EffectiveQuery,
        known: Option<&str>,
    ) -> Result<EffectiveWatch, Error> {
        allowed(caller, &query)?;
        EffectiveWatch::open(&self.shared, query, known)
    }

    /// Begins a gray release of a file, or replaces the one of its name; without a content, that one's stays.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such file; those of [`Configs::release`].
    pub async fn start_gray(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        release: &GrayRelease,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        gray::start(&self.shared, caller, key, release, options).await
    }

    /// Makes the content of a gray release the file's, and ends it. An overlay is merged; comments are lost in that.
    ///
    /// # Errors
    /// [`Error::NoGray`]; [`Error::Conflict`] if others release the file meanwhile; those of [`Configs::release`].
    pub async fn promote_gray(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        name: &str,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        gray::promote(&self.shared, caller, key, name, options).await
    }

    /// Takes a gray release back.
    ///
    /// # Errors
    /// [`Error::NoGray`]; those of [`Configs::release`].
    pub async fn abort_gray(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        name: &str,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        gray::abort(&self.shared, caller, key, name, options).await
    }

    /// Releases in one environment what another one has, in one transaction, and says what that means for its readers;
    /// with `dry_run` it says so and writes nothing. Files that are the same already are left as they are.
    ///
    /// # Errors
    /// [`Error::Denied`]: it takes the right to read what is promoted and to write where it goes; [`Error::Invalid`],
    /// [`Error::NotFound`], [`Error::NoVersion`]; those of [`Configs::release`].
    pub async fn promote(
        &self,
        caller: &Caller,
        asked: &Promote,
        options: WriteOptions,
    ) -> Result<Promoted, Error> {
        promote::promote(self, caller, asked, options).await
    }

    /// The drafts of a file, the oldest first.
    ///
    /// # Errors
    /// [`Error::Denied`], those of the store.
    pub async fn drafts(&self, caller: &Caller, key: &DocumentKey) -> Result<Vec<DraftRow>, Error> {
        drafts::list(&self.shared, caller, key).await
    }

    /// The drafts of all files that the caller may read; of all namespaces if none is named.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn all_drafts(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
    ) -> Result<Vec<DraftRow>, Error> {
        drafts::list_all(&self.shared, caller, namespace).await
    }

    /// One draft of a file.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NoDraft`], those of the store.
    pub async fn draft(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        id: u32,
    ) -> Result<DraftRow, Error> {
        drafts::get(&self.shared, caller, key, id).await
    }

    /// Approves a draft of somebody else's; approving it again changes nothing.
    ///
    /// # Errors
    /// [`Error::Denied`]: it takes the right to write; [`Error::NoDraft`], [`Error::OwnDraft`], [`Error::StaleDraft`],
    /// [`Error::Contention`], those of the store.
    pub async fn approve_draft(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        id: u32,
    ) -> Result<(DraftRow, Index), Error> {
        drafts::approve(&self.shared, caller, key, id).await
    }

    /// Releases a draft, which is gone with that.
    ///
    /// # Errors
    /// [`Error::NoDraft`], [`Error::StaleDraft`], [`Error::ApprovalRequired`]; those of [`Configs::release`].
    pub async fn release_draft(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        id: u32,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        drafts::release(&self.shared, caller, key, id, options).await
    }

    /// Takes a draft away.
    ///
    /// # Errors
    /// [`Error::Denied`]: it takes the right to write; [`Error::NoDraft`], [`Error::Contention`], those of the store.
    pub async fn delete_draft(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        id: u32,
    ) -> Result<Index, Error> {
        drafts::delete(&self.shared, caller, key, id).await
    }

    /// Who reads a file from this process, what they were sent and what became of it, by instance. Who has gone is shown
    /// for a minute more.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn listeners(&self, caller: &Caller, key: &DocumentKey) -> Result<Vec<ListenerRow>, Error> {
        authorize(
            caller,
            Verb::Read,
            Some(key.kind),
            Some(&key.namespace),
            Some(&key.name),
        )?;
        Ok(self
            .shared
            .listeners
            .change(|listeners| listeners.rows(key)))
    }

    /// A listener says what became of the configuration named `tag`: it runs it, or why it could not apply it.
    ///
    /// # Errors
    /// [`Error::Denied`]: it takes the right to write, since a gray release may be taken back for it;
    /// [`Error::TooManyReports`].
    pub fn report(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        instance: &Arc<str>,
        tag: &str,
        outcome: Result<(), &str>,
    ) -> Result<(), Error> {
        authorize(
            caller,
            Verb::Write,
            Some(key.kind),
            Some(&key.namespace),
            Some(&key.name),
        )?;
        self.shared.listeners.report(key, instance, tag, outcome)
    }
}

/// Whether the caller may read the file that is asked for; then what is shared with it is part of the answer.
fn allowed(caller: &Caller, query: &EffectiveQuery) -> Result<(), Error> {
    let DocumentKey {
        kind,
        namespace,
        name,
    } = &query.key;
    authorize(caller, Verb::Read, Some(*kind), Some(namespace), Some(name))?;
    may_see(caller, &query.key, query.sight)
}

fn may_see(caller: &Caller, key: &DocumentKey, sight: Sight) -> Result<(), Error> {
    if sight == Sight::Revealed {
        let (namespace, name) = (Some(&key.namespace), Some(&*key.name));
        authorize(caller, Verb::Reveal, Some(key.kind), namespace, name)?;
    }
    Ok(())
}
