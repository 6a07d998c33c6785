//! What policies come to: merged for requests on one way, as gateways and SDKs merge them.

use std::sync::Arc;

use guildhall_core::{
    access::{Caller, Verb, authorize},
    document::{Kind, Namespace},
    policy::{Chain, Problem, Resolved, Target, compile},
};

use crate::{Error, control::Shared};

/// Policies, as far as they are more than documents. Cheap to clone.
#[derive(Clone)]
pub struct Policies {
    pub(crate) shared: Arc<Shared>,
}

/// What holds for requests on one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    /// What policies on the way may target, the most specific first.
    pub targets: Vec<Target>,
    /// The merged fields, and where each is from.
    pub resolved: Resolved,
    /// The sections that cannot be what the fields of several policies make of them.
    pub problems: Vec<Problem>,
}

impl Policies {
    /// What holds for requests on the way `chain`, all of whose targets are in `namespace`.
    ///
    /// # Errors
    /// [`Error::Denied`] to a caller who may not read the namespace's policies.
    pub fn effective(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        chain: &Chain,
    ) -> Result<Effective, Error> {
        authorize(
            caller,
            Verb::Read,
            Some(Kind::Policy),
            Some(namespace),
            None,
        )?;
        let policies = self.shared.view.load().policies(namespace);
        let resolved = policies.resolve(chain);
        let (_, problems) = compile(&resolved.enforced);
        Ok(Effective {
            targets: chain.targets(),
            resolved,
            problems,
        })
    }
}
