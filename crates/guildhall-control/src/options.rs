//! Everything that can be set about the control plane.

use std::sync::Arc;

use crate::audit::AuditSink;
use crate::checks::CheckOptions;
use crate::config::ConfigOptions;
use crate::documents::DocumentOptions;
use crate::duty::DutyOptions;
use crate::fleet::FleetOptions;
use crate::history::HistoryOptions;
use crate::status::StatusOptions;
use crate::watch::WatchOptions;

/// The control plane's options; the defaults serve.
#[derive(Clone, Default)]
pub struct Options {
    /// Lists and writes.
    pub documents: DocumentOptions,
    /// Configuration.
    pub config: ConfigOptions,
    /// What is kept of documents' pasts.
    pub history: HistoryOptions,
    /// Watches.
    pub watch: WatchOptions,
    /// The checking of instances.
    pub checks: CheckOptions,
    /// The writing of status transitions.
    pub status: StatusOptions,
    /// Who does the background duties.
    pub duty: DutyOptions,
    /// What is kept of the fleet's reports.
    pub fleet: FleetOptions,
    /// Where audit records go beside the log.
    pub audit: Option<Arc<dyn AuditSink>>,
}
