//! Calls on what is known of a fleet's breakers and limits.

use guildhall_core::{
    document::{Namespace, Period},
    policy::report::{Received, Report, State},
};

use super::{Changed, Client, ClientError, call::Call};
use crate::wire::{BreakerList, LimitList, path};

/// Which breakers or limits are asked for; all if nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetQuery {
    /// Those of the callers of this name.
    pub caller: Option<String>,
    /// Those for calls to the services of this name.
    pub service: Option<String>,
    /// Those in this state; limits have none.
    pub state: Option<State>,
}

impl FleetQuery {
    fn parameters(&self) -> path::QueryString {
        let mut query = path::QueryString::default();
        query.add_some("caller", self.caller.as_deref());
        query.add_some("service", self.service.as_deref());
        query.add_some("state", self.state);
        query
    }
}

impl Client {
    /// Reports breakers and limits. `full` in the answer asks for everything in the next report.
    pub async fn report_fleet(&self, report: &Report) -> Result<Received, ClientError> {
        let call = Call::post(path::REPORTS.to_owned()).json(report)?;
        self.call(call).await?.json()
    }

    /// The breakers of those who call, or are called, in a namespace or in all that the token may read.
    pub async fn breakers(
        &self,
        namespace: Option<&Namespace>,
        query: &FleetQuery,
    ) -> Result<BreakerList, ClientError> {
        let call = Call::get(path::breakers(namespace)).query(query.parameters());
        self.call(call).await?.json()
    }

    /// The same, but the server answers only once they are not what they were at `changed.since`, or the wait is over.
    pub async fn breakers_changed(
        &self,
        namespace: Option<&Namespace>,
        query: &FleetQuery,
        changed: Changed,
    ) -> Result<BreakerList, ClientError> {
        let mut parameters = query.parameters();
        parameters.add("index", changed.since);
        parameters.add("wait", Period(changed.wait));
        // The server may add a sixteenth of jitter.
        let wait = changed.wait + changed.wait / 8;
        let call = Call::get(path::breakers(namespace)).query(parameters);
        self.call(call.wait(wait)).await?.json()
    }

    /// The limits of those who call, or are called, in a namespace or in all that the token may read.
    pub async fn limits(
        &self,
        namespace: Option<&Namespace>,
        query: &FleetQuery,
    ) -> Result<LimitList, ClientError> {
        let call = Call::get(path::limits(namespace)).query(query.parameters());
        self.call(call).await?.json()
    }
}
