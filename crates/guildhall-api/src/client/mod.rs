//! A client for the native API.
//!
//! [`Client`] is cheap to clone and keeps its connections. It takes several servers and goes to
//! the next when one does not answer; it remembers the index of its last write and makes every
//! later read wait for it, so that whoever writes reads what was written, whichever server answers.
//! It never retries a call that a server may have carried out, unless doing it twice is the same as
//! doing it once.
//!
//! ```no_run
//! use guildhall_api::client::{Client, ClientOptions};
//! use guildhall_core::{document::{Namespace, ServiceName}, registry::Query};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(ClientOptions::new(["http://127.0.0.1:7420"]))?;
//! let users = ServiceName::new("user-service")?;
//! let found = client.discover(&Namespace::default(), &users, &Query::default()).await?;
//! println!("{} instances", found.instances.len());
//! # Ok(())
//! # }
//! ```

mod answer;
mod call;
#[cfg(feature = "config")]
mod config;
mod documents;
#[cfg(feature = "config")]
mod drafts;
mod error;
mod fleet;
mod history;
mod indexes;
mod locks;
mod options;
mod platform;
mod policies;
mod promotion;
mod registry;
mod stream;
mod transport;
mod watch;

use std::sync::Arc;

pub use answer::Written;
#[cfg(feature = "config")]
pub use config::{ConfigItem, ConfigReader, ConfigStream, EffectiveConfig};
pub use documents::{ListQuery, Listed, Precondition, PutOptions};
pub use error::ClientError;
pub use fleet::FleetQuery;
pub use options::{ClientOptions, DEFAULT_SERVER, OptionsError};
pub use platform::Download;
pub use policies::WayQuery;
pub use registry::Changed;
pub use watch::{WatchItem, WatchScope, WatchStream};

/// A client for the native API; clones share connections and what they know.
#[derive(Clone)]
pub struct Client {
    transport: Arc<transport::Transport>,
    indexes: Arc<indexes::Indexes>,
    request_id: Option<Arc<str>>,
}

impl Client {
    /// A client for the servers in `options`. Nothing is connected to yet.
    pub fn new(options: ClientOptions) -> Result<Self, OptionsError> {
        let transport = Arc::new(transport::Transport::new(options)?);
        Ok(Self {
            transport,
            indexes: Arc::default(),
            request_id: None,
        })
    }

    /// The same client, whose calls carry `id` as their request id instead of one of their own.
    pub fn with_request_id(&self, id: &str) -> Self {
        Self {
            request_id: Some(id.into()),
            ..self.clone()
        }
    }

    /// The server that calls go to first.
    pub fn server(&self) -> &str {
        self.transport.server()
    }

    /// The index that covers everything written through this client.
    pub fn written(&self) -> Option<guildhall_core::document::Index> {
        self.indexes.written()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server())
            .finish_non_exhaustive()
    }
}
