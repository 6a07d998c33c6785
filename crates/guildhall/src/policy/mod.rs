//! The policies in force for calls to other services.
//!
//! ```text
//! watch of kind Policy ─▶ Told ─▶ Policies ─▶ Guards::way ─▶ Target::follow
//!   (copy on disk)       (pure)  + defaults    (machines)     (a new chain over the same machines)
//! ```
//!
//! - [`callees`]: all services that are called, and the machines that guard them.
//! - [`defaults`]: what holds where no policy says otherwise.
//! - [`told`]: pure: what the platform tells to the policies there are.
//! - [`task`]: the watch, what time alone does, and reports of how the machines stand.

mod callees;
mod defaults;
mod task;
mod told;

use std::{fmt, sync::Arc};

pub(crate) use callees::Callees;
pub(crate) use defaults::Defaults;
use guildhall_core::policy::guard::Shell;
pub(crate) use task::follow;

use crate::{
    client::{Answer, AnswerKey},
    discovery::Endpoint,
};

/// What the SDK's machines are made of.
#[derive(Debug)]
pub(crate) enum Sdk {}

impl Shell for Sdk {
    type Endpoint = Member;
    type AnswerKey = AnswerKey;
    type Answer = Answer;
}

/// What tells an instance's endpoints apart: one that has moved is another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    id: Arc<str>,
    authority: Arc<str>,
}

impl Member {
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id.as_str().into(),
            authority: endpoint.authority.as_str().into(),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.authority)
    }
}
