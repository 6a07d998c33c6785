//! What others call.

use std::sync::Arc;

use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::document::{Document, DocumentKey, Index, Kind, Object};
use guildhall_store::Transaction;

use super::write::{Condition, Put, put};
use super::{ListQuery, Listed, Precondition, WriteOptions, Written, delete, list::list};
use crate::Error;
use crate::config;
use crate::control::Shared;
use crate::view::Routing;

/// Documents of every kind. Cheap to clone.
#[derive(Clone)]
pub struct Documents {
    pub(crate) shared: Arc<Shared>,
}

impl Documents {
    /// One document with its status, from the current state.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NotFound`].
    pub fn get(&self, caller: &Caller, key: &DocumentKey) -> Result<Document, Error> {
        authorize(
            caller,
            Verb::Read,
            Some(key.kind),
            Some(&key.namespace),
            Some(&key.name),
        )?;
        let state = self.shared.view.load();
        let document = state.get(key);
        document
            .map(|document| Routing::of(&state).shown(document))
            .ok_or_else(|| Error::NotFound(key.clone()))
    }

    /// One page of a list, from the current state or, continued, from that of its first page.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Gone`], [`Error::BadContinue`].
    pub fn list(&self, caller: &Caller, query: &ListQuery) -> Result<Listed, Error> {
        list(&self.shared, caller, query)
    }

    /// Writes a document: [`Documents::write`] without a comment.
    ///
    /// # Errors
    /// Those of [`Documents::write`].
    pub async fn put(
        &self,
        caller: &Caller,
        document: Document,
        precondition: Precondition,
        dry_run: bool,
    ) -> Result<Written, Error> {
        let options = WriteOptions {
            precondition,
            dry_run,
            ..WriteOptions::default()
        };
        self.write(caller, document, options).await
    }

    /// Writes a document as its sender wants it; what the server owns in it is ignored.
    ///
    /// Where a history is kept, the write becomes a version of the document, in the same
    /// transaction.
    ///
    /// Unconditional writes are tried again when others write the same document. Writing what
    /// already is succeeds and takes no revision. A `ServiceVersion` goes through
    /// [`Registry::put_version`](crate::registry::Registry::put_version), an `Instance` through
    /// [`Registry::register`](crate::registry::Registry::register): they do more than write. With
    /// `dry_run` everything is checked and nothing written.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Invalid`], [`Error::Precondition`], [`Error::TooLarge`],
    /// [`Error::Contention`], and those of the store.
    pub async fn write(
        &self,
        caller: &Caller,
        document: Document,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        if let Document::Config(config) = document {
            let asked = config::Asked::Document(Box::new(Object::clone(&config)));
            return config::write(&self.shared, caller, asked, options).await;
        }
        options.no_draft(document.kind())?;
        let note = options.note()?;
        let WriteOptions {
            precondition,
            dry_run,
            ..
        } = options;
        let registry = crate::registry::Registry {
            shared: Arc::clone(&self.shared),
        };
        match &document {
            Document::Instance(_) => {
                registry
                    .register(caller, document, precondition, dry_run)
                    .await
            }
            Document::ServiceVersion(_) => {
                registry
                    .put_version(caller, document, precondition, dry_run)
                    .await
            }
            _ => {
                let key = document.key();
                let puts = vec![Put {
                    document,
                    condition: Condition::When(precondition),
                    note,
                }];
                let beside = Transaction::new();
                let written = put(&self.shared, caller, puts, &beside, dry_run).await?;
                written.into_iter().next().ok_or(Error::NotFound(key))
            }
        }
    }

    /// Deletes a document with what belongs to it: an instance with its timeline, a service
    /// (which must have no instances) with its versions.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NotFound`], [`Error::Precondition`], [`Error::Conflict`],
    /// [`Error::Contention`], and those of the store.
    pub async fn remove(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        options: WriteOptions,
    ) -> Result<Index, Error> {
        options.no_draft(key.kind)?;
        let note = options.note()?;
        let WriteOptions {
            precondition,
            dry_run,
            ..
        } = options;
        if key.kind == Kind::Config {
            let (namespace, name) = (Some(&key.namespace), Some(&*key.name));
            authorize(caller, Verb::Write, Some(key.kind), namespace, name)?;
            config::removable(&self.shared, key).await?;
        }
        delete(&self.shared, caller, key, precondition, &note, dry_run).await
    }

    /// Deletes a document: [`Documents::remove`] without a comment.
    ///
    /// # Errors
    /// Those of [`Documents::remove`].
    pub async fn delete(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        precondition: Precondition,
        dry_run: bool,
    ) -> Result<Index, Error> {
        let options = WriteOptions {
            precondition,
            dry_run,
            ..WriteOptions::default()
        };
        self.remove(caller, key, options).await
    }
}
