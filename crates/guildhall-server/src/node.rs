//! How this node is: its stage, its roles, its memory. What `/healthz`, `/readyz` and the status report.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use guildhall_api::wire::RoleStatus;
use guildhall_core::document::Timestamp;

use crate::clock;

/// Where a node is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It reads what it needs.
    Starting = 0,
    /// It does its work.
    Ready = 1,
    /// It lets go.
    Stopping = 2,
}

/// How a role is.
pub(crate) struct Role {
    /// Whether it answers calls or carries traffic; a role can be unwell and still do so.
    pub(crate) serves: bool,
    /// As it is reported.
    pub(crate) status: RoleStatus,
}

/// Reports how a role is.
pub(crate) type Probe = Arc<dyn Fn() -> Role + Send + Sync>;

/// This node.
pub(crate) struct Node {
    /// When it started.
    pub(crate) started: Timestamp,
    stage: AtomicU8,
    roles: Mutex<Vec<Probe>>,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            started: Timestamp::from_system(clock::wall()),
            stage: AtomicU8::new(Stage::Starting as u8),
            roles: Mutex::default(),
        }
    }
}

impl Node {
    /// Where it is in its life.
    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Starting,
            1 => Stage::Ready,
            _ => Stage::Stopping,
        }
    }

    /// Moves on.
    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    /// Adds a role to what is reported.
    pub(crate) fn add(&self, role: Probe) {
        self.roles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(role);
    }

    /// How each role is.
    pub(crate) fn roles(&self) -> Vec<Role> {
        let roles = self
            .roles
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        roles.iter().map(|role| role()).collect()
    }
}

/// The process's resident memory, where the system tells.
pub(crate) fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
