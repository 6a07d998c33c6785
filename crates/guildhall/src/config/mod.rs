//! A service's configuration, typed: read once before it is needed, and anew whenever it changes.
//!
//! ```text
//! platform's event stream ─┐
//! copy on disk ────────────┼─▶ layers: local files < platform < environment ─▶ T ─▶ validate ─▶ Arc<T>
//! files, environment ──────┘                                                              └─▶ report
//! ```
//!
//! - `builder`: what the author says of it.
//! - `layers`: pure: texts laid over each other and read as a `T`.
//! - `follow`: the task that keeps it current.
//! - `copy`: the last good one on disk, encrypted where it holds secrets.

mod builder;
mod copy;
mod error;
mod follow;
mod layers;

use std::sync::Arc;

use arc_swap::ArcSwap;
pub use builder::ConfigBuilder;
pub use error::ConfigError;
use guildhall_api::client::ClientOptions;
use guildhall_core::document::Namespace;
use tokio::sync::watch;

use crate::{identity::Identity, task::Task};

/// A service's configuration, always the last one that was good. Cheap to clone; all clones are the same one.
///
/// It is kept current as long as one of them lives.
#[derive(Clone)]
pub struct Config<T> {
    shared: Arc<Shared<T>>,
    _task: Arc<Task<()>>,
}

/// What the handle and the task share.
struct Shared<T> {
    current: ArcSwap<T>,
    version: watch::Sender<ConfigVersion>,
}

/// Which configuration a [`Config`] is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigVersion {
    /// Counts the configurations that were applied, from 1.
    pub number: u64,
    /// Names what the platform gave; empty where it gave nothing.
    pub tag: String,
    /// What that was made of, the most general first: `users/prod/app.yaml@3`.
    pub inputs: Vec<String>,
    /// Why the latest that the platform gave is not in force; `None` if it is.
    pub refused: Option<String>,
}

impl<T> Config<T> {
    /// The configuration in force. Takes no lock; what is loaded stays as it is when a new one comes.
    pub fn load(&self) -> Arc<T> {
        self.shared.current.load_full()
    }

    /// Which one that is, and whether a later one was refused.
    pub fn version(&self) -> ConfigVersion {
        self.shared.version.borrow().clone()
    }

    /// Wakes whenever [`Config::version`] changes: a new configuration is in force, or one was refused.
    pub fn changes(&self) -> watch::Receiver<ConfigVersion> {
        self.shared.version.subscribe()
    }
}

impl<T> std::fmt::Debug for Config<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("version", &*self.shared.version.borrow())
            .finish_non_exhaustive()
    }
}

/// What a service tells its configurations about itself.
pub(crate) struct Owner {
    pub(crate) service: String,
    pub(crate) namespace: Namespace,
    pub(crate) platform: Option<ClientOptions>,
    pub(crate) zone: Option<String>,
    pub(crate) cache: Option<std::path::PathBuf>,
    /// Who this process is, once it runs: gray releases go by it.
    pub(crate) identity: watch::Receiver<Option<Arc<Identity>>>,
}
