//! Registering: an instance, a version, a service, with what has to be there beside it.

use std::sync::Arc;

use guildhall_core::access::Caller;
use guildhall_core::document::{
    Document, KeyPart, Metadata, Namespace, Object, Problems, ServiceName, VersionName,
};
use guildhall_core::registry::contract::{self, VersionStatus};
use guildhall_core::registry::{Service, ServiceEntry, ServiceVersion, graph};
use guildhall_store::{Op, Transaction};

use crate::Error;
use crate::control::Shared;
use crate::documents::write::{Condition, Put, put};
use crate::documents::{Precondition, Written};
use crate::history::Note;

/// A service that was written, with its version.
#[derive(Clone, Debug)]
pub struct ServiceWritten {
    /// The operators' document.
    pub service: Written,
    /// The version, if one was given.
    pub version: Option<Written>,
}

pub(super) async fn instance(
    shared: &Shared,
    caller: &Caller,
    document: Document,
    precondition: Precondition,
    dry_run: bool,
) -> Result<Written, Error> {
    let Document::Instance(object) = &document else {
        return Err(wrong_kind(&document, "Instance"));
    };
    let service = missing_service(
        object.metadata.namespace.clone(),
        object.spec.service.as_str(),
    );
    // The service first: whoever watches both learns of it before its parts.
    let puts = vec![
        service,
        Put {
            document,
            condition: Condition::When(precondition),
            note: Note::default(),
        },
    ];
    let beside = Transaction::new();
    answer(put(shared, caller, puts, &beside, dry_run).await?, 1)
}

pub(super) async fn version(
    shared: &Shared,
    caller: &Caller,
    document: Document,
    precondition: Precondition,
    dry_run: bool,
) -> Result<Written, Error> {
    let Document::ServiceVersion(object) = &document else {
        return Err(wrong_kind(&document, "ServiceVersion"));
    };
    let beside = review(shared, object, None)?;
    let service = object.metadata.name.split('/').next().unwrap_or_default();
    let service = missing_service(object.metadata.namespace.clone(), service);
    // The service first: whoever watches both learns of it before its parts.
    let puts = vec![
        service,
        Put {
            document,
            condition: Condition::When(precondition),
            note: Note::default(),
        },
    ];
    let written = put(shared, caller, puts, &beside.transaction, dry_run).await?;
    let written = answer(written, 1)?;
    Ok(beside.show(written))
}

pub(super) async fn service(
    shared: &Shared,
    caller: &Caller,
    document: Document,
    version: Option<Document>,
    precondition: Precondition,
    dry_run: bool,
) -> Result<ServiceWritten, Error> {
    let Document::Service(service) = &document else {
        return Err(wrong_kind(&document, "Service"));
    };
    let beside = match &version {
        None => Beside::default(),
        Some(Document::ServiceVersion(object)) => {
            let name = object.metadata.name.split('/').next().unwrap_or_default();
            let same = name == service.metadata.name
                && object.metadata.namespace == service.metadata.namespace;
            if !same {
                let detail = format!(
                    "a version of {:?} goes with it, not {:?}",
                    service.metadata.name, object.metadata.name
                );
                return Err(Problems::one("/metadata/name", detail).into());
            }
            review(shared, object, Some(Arc::clone(service)))?
        }
        Some(other) => return Err(wrong_kind(other, "ServiceVersion")),
    };
    let mut puts = vec![Put {
        document,
        condition: Condition::When(precondition),
        note: Note::default(),
    }];
    puts.extend(version.map(|document| Put {
        document,
        condition: Condition::When(Precondition::None),
        note: Note::default(),
    }));
    let mut written = put(shared, caller, puts, &beside.transaction, dry_run).await?;
    let version = if written.len() > 1 {
        written.pop().map(|version| beside.show(version))
    } else {
        None
    };
    Ok(ServiceWritten {
        service: answer(written, 0)?,
        version,
    })
}

/// What is written with a version.
#[derive(Default)]
struct Beside {
    transaction: Transaction,
    status: Option<Vec<u8>>,
}

impl Beside {
    /// Shows in the answer the status that the view does not have yet.
    fn show(&self, mut written: Written) -> Written {
        if let Some(status) = self.status.as_deref().filter(|_| written.changed)
            && let Ok(document) = written.document.with_stored_status(Some(status))
        {
            written.document = document;
        }
        written
    }
}

/// Compares a version's contract with those of the live versions, under the policy of `service`
/// if that is being written too.
fn review(
    shared: &Shared,
    object: &Object<ServiceVersion>,
    service: Option<Arc<Object<Service>>>,
) -> Result<Beside, Error> {
    let (name, version) = object
        .metadata
        .name
        .split_once('/')
        .unwrap_or((&object.metadata.name, ""));
    // What is not a name is refused when the document is validated.
    let (Ok(name), Ok(version)) = (ServiceName::new(name), VersionName::new(version)) else {
        return Ok(Beside::default());
    };
    let state = shared.view.load();
    let namespace = &object.metadata.namespace;
    let Some(entry) = state.catalog.service(namespace, name.as_str()) else {
        return Ok(Beside::default());
    };
    let mut entry = ServiceEntry::clone(entry);
    if service.is_some() {
        entry.service = service;
    }
    let consumers = if object.spec.contract.is_some() {
        contract::consumers(&graph(&state.catalog, namespace), name.as_str())
    } else {
        Vec::new()
    };
    let status = contract::review(&entry, &version, &object.spec, consumers)?;
    let key = Document::ServiceVersion(Arc::new(object.clone())).key();
    if status == VersionStatus::default() && state.stored_status(&key).is_none() {
        return Ok(Beside::default());
    }
    let status = serde_json::to_vec(&status)?;
    let put = Op::put(key.store_key(KeyPart::Status), status.clone());
    Ok(Beside {
        transaction: Transaction::new().then(put),
        status: Some(status),
    })
}

/// The document of a service that exists because something of it does.
fn missing_service(namespace: Namespace, name: &str) -> Put {
    let document = Object::new(Metadata::named(namespace, name), Service::default()).into();
    Put {
        document,
        condition: Condition::IfMissing,
        note: Note::default(),
    }
}

fn wrong_kind(document: &Document, wanted: &str) -> Error {
    Problems::one(
        "/kind",
        format!(
            "a document of kind {wanted} is needed, not {}",
            document.kind()
        ),
    )
    .into()
}

/// The answer about the document at `at` of those that were written.
fn answer(mut written: Vec<Written>, at: usize) -> Result<Written, Error> {
    if at < written.len() {
        return Ok(written.swap_remove(at));
    }
    Err(Error::Stopped)
}
