//! What the handlers share.

use std::{
    sync::{Arc, OnceLock, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use guildhall_api::wire::Code;
use guildhall_control::Control;

use super::problem::{Refusal, refuse};
use super::{answers::Answers, metrics::Metrics};
use crate::{
    auth::Guard,
    node::Node,
    platform::{Plane, Traffic},
    serve::ServeStatistics,
};

/// Bounds and choices of the API.
#[derive(Clone, Debug)]
pub(crate) struct ApiOptions {
    /// The largest body.
    pub(crate) max_body: u64,
    /// How long it may take to arrive.
    pub(crate) body_timeout: Duration,
    /// The longest long poll.
    pub(crate) max_wait: Duration,
    /// How long a read waits for `minIndex`.
    pub(crate) index_wait: Duration,
    /// How often a silent stream says that it lives.
    pub(crate) keepalive: Duration,
    /// The most bytes of serialised discovery answers that are kept.
    pub(crate) answer_cache: u64,
    /// Whether each request is logged.
    pub(crate) access_log: bool,
}

/// The API of one node.
pub(crate) struct Api {
    /// The control role, on a node that has it.
    pub(crate) plane: Option<Arc<Plane>>,
    /// The gateway role, on a node that has it.
    pub(crate) gateway: Option<Traffic>,
    /// How the node is.
    pub(crate) node: Arc<Node>,
    /// Who may enter.
    pub(crate) guard: Arc<Guard>,
    /// Discovery answers that are still right.
    pub(crate) answers: Answers,
    /// Counts of requests.
    pub(crate) metrics: Metrics,
    /// Counts of connections.
    pub(crate) connections: Arc<ServeStatistics>,
    /// Bounds and choices.
    pub(crate) options: ApiOptions,
    /// The OpenAPI document, written when it is first asked for.
    pub(crate) openapi: OnceLock<Bytes>,
}

impl Api {
    /// An API over `plane`, or, without it, of a node that has other roles only.
    pub(crate) fn new(
        plane: Option<Arc<Plane>>,
        gateway: Option<Traffic>,
        node: Arc<Node>,
        guard: Arc<Guard>,
        options: ApiOptions,
    ) -> Self {
        Self {
            plane,
            gateway,
            node,
            guard,
            answers: Answers::new(options.answer_cache),
            metrics: Metrics::default(),
            connections: Arc::default(),
            options,
            openapi: OnceLock::new(),
        }
    }

    /// The control role, or the problem of a node that does not have it.
    pub(crate) fn plane(&self) -> Result<&Arc<Plane>, Refusal> {
        self.plane.as_ref().ok_or_else(|| {
            refuse(
                Code::WrongNode,
                "this node has no control role: it keeps no documents; ask a node that has it (guildhall status names its roles)",
            )
        })
    }

    /// The control plane, or the problem of a node that has none, or none at the moment.
    pub(crate) fn control(&self) -> Result<Control, Refusal> {
        self.plane()?.control().ok_or_else(|| {
            refuse(
                Code::NotReady,
                "the control plane is being started or stopped; try again in a moment",
            )
        })
    }

    /// Connections now.
    pub(crate) fn open_connections(&self) -> usize {
        self.connections.open.load(Ordering::Relaxed)
    }
}
