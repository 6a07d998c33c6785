//! Documents as tests write them.

use guildhall_core::{
    document::{Document, DocumentKey, Kind, Metadata, Namespace, Object},
    registry::{Catalog, Health, Instance, InstanceStatus, Service, ServiceVersion},
    source::Change,
};
use serde_json::{Value, json};

pub(crate) fn service(name: &str, spec: Value) -> Document {
    let spec: Service = serde_json::from_value(spec).unwrap();
    Object::new(Metadata::named(Namespace::default(), name), spec).into()
}

pub(crate) fn version(service: &str, version: &str, spec: Value) -> Document {
    let spec: ServiceVersion = serde_json::from_value(spec).unwrap();
    Object::new(
        Metadata::named(Namespace::default(), format!("{service}/{version}")),
        spec,
    )
    .into()
}

/// An instance without a status; `spec` is merged over a host and a port.
pub(crate) fn instance(service: &str, id: &str, spec: Value) -> Document {
    let mut all = json!({"service": service, "host": "10.0.0.1", "port": 80});
    all.as_object_mut()
        .unwrap()
        .extend(spec.as_object().unwrap().clone());
    let spec: Instance = serde_json::from_value(all).unwrap();
    Object::new(Metadata::named(Namespace::default(), id), spec).into()
}

pub(crate) fn with_health(document: Document, health: Health) -> Document {
    let Document::Instance(object) = &document else {
        panic!("{document:?} has no health");
    };
    let status = Some(InstanceStatus {
        health,
        ..InstanceStatus::default()
    });
    Object {
        status,
        ..Object::clone(object)
    }
    .into()
}

pub(crate) fn put(document: Document) -> Change {
    Change::Put(document)
}

pub(crate) fn deleted(kind: Kind, name: &str) -> Change {
    Change::Deleted(DocumentKey::new(kind, Namespace::default(), name))
}

/// What `documents` come to, each at a revision of its own from 1 on.
pub(crate) fn catalog(documents: impl IntoIterator<Item = Document>) -> Catalog {
    let mut catalog = Catalog::new();
    for (document, revision) in documents.into_iter().zip(1..) {
        catalog.apply(&put(document), revision);
    }
    catalog
}
