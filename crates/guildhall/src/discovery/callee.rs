//! Which service is meant: one of the own namespace, or of another.

use guildhall_core::document::{NameError, Namespace, ServiceName};

/// A service that is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Callee {
    /// `None` is the caller's own, which is not known before the start.
    namespace: Option<Namespace>,
    service: String,
    /// As in errors, logs and metrics.
    told: String,
}

impl Callee {
    /// A service of the caller's own namespace. Whether its name is one is told at the start.
    pub(crate) fn own(service: &str) -> Self {
        Self {
            namespace: None,
            service: service.to_owned(),
            told: service.to_owned(),
        }
    }

    /// A service of another namespace.
    pub(crate) fn foreign(namespace: &Namespace, service: &ServiceName) -> Self {
        Self {
            namespace: Some(namespace.clone()),
            service: service.as_str().to_owned(),
            told: format!("{namespace}/{service}"),
        }
    }

    /// Its name, with its namespace if that is not the caller's: `users`, `spare/users`.
    pub(crate) fn as_str(&self) -> &str {
        &self.told
    }

    /// Its name alone, or what is wrong with it.
    pub(crate) fn service(&self) -> Result<ServiceName, NameError> {
        ServiceName::new(&self.service)
    }

    /// Its namespace, for a caller of `own`.
    pub(crate) fn namespace<'a>(&'a self, own: &'a Namespace) -> &'a Namespace {
        self.namespace.as_ref().unwrap_or(own)
    }
}
