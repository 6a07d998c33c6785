//! Folds changes of documents into the catalog.

use std::sync::Arc;

use imbl::OrdMap;

use super::{ServiceEntry, tombstones::Tombstones};
use crate::{
    document::{Document, DocumentKey, InstanceId, Kind, Namespace, ServiceName, VersionName},
    source::Change,
};

/// All services of all namespaces at one revision. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    namespaces: OrdMap<Namespace, Scope>,
    gone: Tombstones,
    /// Where a namespace without services stands: at least where any that is gone stood.
    gone_namespaces: u64,
    revision: u64,
    instances: usize,
}

/// The services of one namespace.
#[derive(Clone, Debug, Default)]
struct Scope {
    services: OrdMap<ServiceName, Arc<ServiceEntry>>,
    revision: u64,
}

/// The service that a change belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Touched {
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name.
    pub service: ServiceName,
}

impl Catalog {
    /// Nothing registered, at revision 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `documents` register, all of it as if touched at `revision`.
    ///
    /// For a start or a resynchronisation, where documents say nothing of what was deleted
    /// before: to stand every service at the revision at which the documents were read is the
    /// lowest choice that can never take an index backwards.
    pub fn load<'a>(documents: impl IntoIterator<Item = &'a Document>, revision: u64) -> Self {
        let mut catalog = Self {
            gone: Tombstones::at(revision),
            gone_namespaces: revision,
            revision,
            ..Self::default()
        };
        for document in documents {
            catalog.put(document, revision);
        }
        catalog
    }

    /// Folds in a change that was committed at `revision`, and says which service it touched:
    /// `None` if it is not the registry's business.
    ///
    /// A put that repeats what is known and a deletion of what is not there change nothing but
    /// the revision.
    pub fn apply(&mut self, change: &Change, revision: u64) -> Option<Touched> {
        self.revision = self.revision.max(revision);
        match change {
            Change::Put(document) => self.put(document, revision),
            Change::Deleted(key) => self.delete(key, revision),
        }
    }

    fn put(&mut self, document: &Document, revision: u64) -> Option<Touched> {
        // A document whose name breaks its rule cannot have come through the API, which
        // validates it; it has no place here.
        match document {
            Document::Service(object) => {
                let name = ServiceName::new(&object.metadata.name).ok()?;
                let namespace = object.metadata.namespace.clone();
                self.touch(namespace, name, revision, |entry| {
                    entry.service = Some(object.clone())
                })
            }
            Document::ServiceVersion(object) => {
                let (service, version) = object.metadata.name.split_once('/')?;
                let (name, version) = (
                    ServiceName::new(service).ok()?,
                    VersionName::new(version).ok()?,
                );
                let namespace = object.metadata.namespace.clone();
                self.touch(namespace, name, revision, |entry| {
                    entry.versions.insert(version, object.clone());
                })
            }
            Document::Instance(object) => {
                let id = InstanceId::new(&object.metadata.name).ok()?;
                if object.spec.service.as_str().is_empty() {
                    return None;
                }
                let (namespace, name) = (
                    object.metadata.namespace.clone(),
                    object.spec.service.clone(),
                );
                self.touch(namespace, name, revision, |entry| {
                    entry.instances.insert(id, object.clone());
                })
            }
            _ => None,
        }
    }

    fn delete(&mut self, key: &DocumentKey, revision: u64) -> Option<Touched> {
        let service = ServiceName::new(key.service()?).ok()?;
        let own = key.name.split_once('/').map_or("", |(_, own)| own);
        self.touch(
            key.namespace.clone(),
            service,
            revision,
            |entry| match key.kind {
                Kind::Instance => {
                    entry.instances.remove(own);
                }
                Kind::ServiceVersion => {
                    entry.versions.remove(own);
                }
                _ => entry.service = None,
            },
        )
    }

    /// Changes one service at `revision`: makes it if it is not there, buries it if nothing of
    /// it is left.
    fn touch(
        &mut self,
        namespace: Namespace,
        service: ServiceName,
        revision: u64,
        change: impl FnOnce(&mut ServiceEntry),
    ) -> Option<Touched> {
        let scope = self.namespaces.entry(namespace.clone()).or_default();
        scope.revision = scope.revision.max(self.gone_namespaces).max(revision);
        let gone = &mut self.gone;
        let entry = scope.services.entry(service.clone()).or_insert_with(|| {
            let mut entry = ServiceEntry::new(namespace.clone(), service.clone());
            entry.revision = gone.exhume(&namespace, service.as_str());
            Arc::new(entry)
        });
        let entry = Arc::make_mut(entry);
        let before = entry.instances.len();
        change(entry);
        entry.revision = entry.revision.max(revision);
        self.instances = self.instances - before + entry.instances.len();
        if entry.is_empty() {
            gone.bury(&namespace, service.as_str(), entry.revision);
            scope.services.remove(&service);
            if scope.services.is_empty() {
                self.gone_namespaces = self.gone_namespaces.max(scope.revision);
                self.namespaces.remove(&namespace);
            }
        }
        Some(Touched { namespace, service })
    }

    /// One service; `None` if nothing is registered for it.
    pub fn service(&self, namespace: &Namespace, service: &str) -> Option<&Arc<ServiceEntry>> {
        self.namespaces.get(namespace)?.services.get(service)
    }

    /// The services of one namespace, or of all, by namespace and name.
    pub fn services(
        &self,
        namespace: Option<&Namespace>,
    ) -> impl Iterator<Item = &Arc<ServiceEntry>> {
        let one = namespace.and_then(|namespace| self.namespaces.get(namespace));
        let all = namespace.is_none().then(|| self.namespaces.values());
        one.into_iter()
            .chain(all.into_iter().flatten())
            .flat_map(|scope| scope.services.values())
    }

    /// The namespaces that have services.
    pub fn namespaces(&self) -> impl Iterator<Item = &Namespace> {
        self.namespaces.keys()
    }

    /// How many instances there are.
    pub fn instances(&self) -> usize {
        self.instances
    }

    /// The highest revision that touched a key of this service, whether it is there or not.
    ///
    /// At least 1, and never goes backwards; for a service long gone or never there it may rise
    /// without cause ([`ServiceEntry::revision`] does not).
    pub fn service_revision(&self, namespace: &Namespace, service: &str) -> u64 {
        let revision = match self.service(namespace, service) {
            Some(entry) => entry.revision,
            None => self.gone.revision(namespace, service),
        };
        revision.max(1)
    }

    /// The highest revision that touched a key of the namespace's registry, at least 1; for a
    /// namespace without services it may rise without cause.
    pub fn namespace_revision(&self, namespace: &Namespace) -> u64 {
        let scope = self.namespaces.get(namespace);
        scope
            .map_or(self.gone_namespaces, |scope| scope.revision)
            .max(1)
    }

    /// The highest revision seen, whatever it touched.
    pub fn revision(&self) -> u64 {
        self.revision
    }
}
