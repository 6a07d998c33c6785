//! What goes over the wire. Pure: no IO, no clock.
//!
//! Documents and graphs are `guildhall-core`'s; here is what stands around them.

mod code;
#[cfg(feature = "config")]
mod config;
mod deleted;
mod discovery;
mod document;
mod draft;
mod effective;
mod fleet;
pub mod header;
mod history;
mod list;
mod lock;
pub mod path;
mod problem;
mod promotion;
mod report;
pub mod sse;
mod status;
mod timeline;
mod watch;

pub use code::Code;
#[cfg(feature = "config")]
pub use config::{
    CONFIG_EVENT, ConfigEvent, ConfigEventError, ConfigOrigins, ListenerList, ListenerReport,
    PROBLEM_EVENT, encode_config,
};
pub use deleted::DeletedDocument;
pub use discovery::Discovery;
pub use document::{DocumentError, read_document};
pub use draft::{DraftDiff, DraftList};
pub use effective::{
    EffectivePolicy, FieldConflict, FieldOrigin, MergedPolicy, PolicyProblem, PolicySource,
    PolicyTarget,
};
pub use fleet::{BreakerList, LimitList};
pub use history::{
    RecordedVersion, RollbackBody, TagBody, TaggedVersion, VersionDiff, VersionList,
    VersionListMetadata,
};
pub use list::{List, ListMetadata, MAX_LIMIT};
pub use lock::{AcquireLock, LockToken};
pub use problem::{PROBLEM_JSON, PolicyRef, Problem};
pub use promotion::{PromoteBody, PromotionList};
pub use report::{HeartbeatAnswer, MaintenanceBody, ReportBody};
pub use status::{RoleStatus, Status, StoreStatus};
pub use timeline::Timeline;
pub use watch::{Resync, WatchEvent, WatchEventError, encode_event};
