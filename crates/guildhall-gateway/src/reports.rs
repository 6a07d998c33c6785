//! What a gateway tells of its breakers and limits.

use std::{fmt, net::SocketAddr};

use guildhall_api::report::Courier;
use guildhall_core::{
    document::{InstanceId, NameError, ServiceName},
    policy::report::{ReportSink, ReportedBy, Reporter, ReporterKind},
    registry::health::Moment,
};

use crate::clock;

/// Where a gateway reports, and under which name.
pub struct Reports {
    name: ServiceName,
    host: String,
    sink: Box<dyn ReportSink>,
}

/// The most bytes of a host's name that stand in an instance's.
const MAX_HOST: usize = 200;

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports")
            .field("name", &self.name)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Reports {
    /// Reports to `sink`, as a gateway called `name` on `host`; its port tells it apart from others there.
    pub fn new(name: ServiceName, host: &str, sink: Box<dyn ReportSink>) -> Self {
        let fits = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
        Self {
            name,
            host: host.chars().filter(fits).take(MAX_HOST).collect(),
            sink,
        }
    }

    /// Starts the task that carries reports of a gateway at `address`, on the present runtime.
    pub(crate) fn courier(self, address: SocketAddr) -> Result<Courier, NameError> {
        let who = ReportedBy {
            kind: ReporterKind::Gateway,
            namespace: None,
            name: self.name,
            instance: InstanceId::new(&format!("{}:{}", self.host, address.port()))?,
        };
        let reporter = Reporter::new(who, fastrand::u32(..));
        Ok(Courier::start(reporter, self.sink))
    }
}

/// Now, on both clocks.
pub(crate) fn moment() -> Moment {
    Moment {
        monotonic: clock::now(),
        wall: clock::wall(),
    }
}
