//! What others call.

use std::sync::Arc;

use guildhall_core::access::Caller;
use guildhall_core::document::{Document, DocumentKey, Index, Namespace, ServiceName};
use guildhall_core::registry::{
    CheckState, Graph, Impact, Maintenance, Query, ServiceEntry, Statistics, TimelineEntry,
};

use super::{Discovery, ServiceWritten, health, read, register, timeline};
use crate::control::Shared;
use crate::documents::{Precondition, Written, delete};
use crate::history::Note;
use crate::{Error, status};

/// The registry. Cheap to clone.
///
/// Instances are named by their document key: kind `Instance`, name `{service}/{id}`.
#[derive(Clone)]
pub struct Registry {
    pub(crate) shared: Arc<Shared>,
}

impl Registry {
    /// Writes an instance; a service that nobody defined is created in the same transaction.
    ///
    /// # Errors
    /// As [`Documents::put`](crate::documents::Documents::put); [`Error::Invalid`] for a document
    /// of another kind.
    pub async fn register(
        &self,
        caller: &Caller,
        instance: Document,
        precondition: Precondition,
        dry_run: bool,
    ) -> Result<Written, Error> {
        register::instance(&self.shared, caller, instance, precondition, dry_run).await
    }

    /// Writes a service's document and, if given, a version of it, in one transaction. The
    /// precondition is about the service's document.
    ///
    /// # Errors
    /// As [`Registry::put_version`]. Nothing is written unless both are.
    pub async fn put_service(
        &self,
        caller: &Caller,
        service: Document,
        version: Option<Document>,
        precondition: Precondition,
        dry_run: bool,
    ) -> Result<ServiceWritten, Error> {
        register::service(
            &self.shared,
            caller,
            service,
            version,
            precondition,
            dry_run,
        )
        .await
    }

    /// Writes a version of a service, which is created if nobody defined it. Its contract is
    /// compared with those of the live versions; what breaks is recorded in its status, or
    /// refused if the service's policy says so.
    ///
    /// # Errors
    /// [`Error::ContractRefused`] naming the consumers, and as
    /// [`Documents::put`](crate::documents::Documents::put).
    pub async fn put_version(
        &self,
        caller: &Caller,
        version: Document,
        precondition: Precondition,
        dry_run: bool,
    ) -> Result<Written, Error> {
        register::version(&self.shared, caller, version, precondition, dry_run).await
    }

    /// Removes an instance with its status and its timeline.
    ///
    /// # Errors
    /// As [`Documents::delete`](crate::documents::Documents::delete).
    pub async fn deregister(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        precondition: Precondition,
    ) -> Result<Index, Error> {
        let note = Note::default();
        delete(&self.shared, caller, key, precondition, &note, false).await
    }

    /// The instance is alive: passes all of its ttl checks. Writes nothing unless that changes
    /// what one of them says; an instance without ttl checks takes no notice.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::NotFound`]: register again; [`Error::NotOnDuty`].
    pub async fn heartbeat(&self, caller: &Caller, key: &DocumentKey) -> Result<(), Error> {
        health::heartbeat(&self.shared, caller, key).await
    }

    /// What the instance says of one of its ttl checks; `output` is cut to 4 KiB.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::NotFound`]; [`Error::CheckNotFound`]; [`Error::Invalid`] for a
    /// check that the platform runs itself, and for `starting`; [`Error::NotOnDuty`].
    pub async fn report(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        check: &str,
        state: CheckState,
        output: &str,
    ) -> Result<(), Error> {
        health::report(&self.shared, caller, key, check, state, output).await
    }

    /// Takes an instance out of traffic, or with `None` back in. Durable when it returns; `by` is
    /// filled in with the caller.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NotFound`], [`Error::Contention`], and those of the store.
    pub async fn maintenance(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        maintenance: Option<Maintenance>,
    ) -> Result<Written, Error> {
        status::maintenance(&self.shared, caller, key, maintenance).await
    }

    /// The last hundred changes of an instance, oldest first.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::NotFound`], and those of reading the store.
    pub async fn timeline(
        &self,
        caller: &Caller,
        key: &DocumentKey,
    ) -> Result<Vec<TimelineEntry>, Error> {
        timeline::read(&self.shared, caller, key).await
    }

    /// One service with its versions and instances, and the highest revision that touched it;
    /// without a service, the index that one would wait from.
    ///
    /// Cheap: for whoever keeps answers per service and wants to know whether they still hold.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn service(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        service: &str,
    ) -> Result<(Index, Option<Arc<ServiceEntry>>), Error> {
        read::service(&self.shared, caller, namespace, service)
    }

    /// The instances of a service that a query asks for; none for a service that is not there.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn discover(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        service: &str,
        query: &Query,
    ) -> Result<Discovery, Error> {
        read::discover(&self.shared, caller, namespace, service, query)
    }

    /// Who says they depend on whom.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn graph(&self, caller: &Caller, namespace: &Namespace) -> Result<Graph, Error> {
        read::graph(&self.shared, caller, namespace)
    }

    /// Who breaks and who degrades when a service is drained.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::NotFound`] for a service that is neither there nor depended on.
    pub fn impact(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        service: &ServiceName,
    ) -> Result<Impact, Error> {
        read::impact(&self.shared, caller, namespace, service)
    }

    /// The registry in numbers: of one namespace, or of all.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn statistics(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
    ) -> Result<Statistics, Error> {
        read::statistics(&self.shared, caller, namespace)
    }
}
