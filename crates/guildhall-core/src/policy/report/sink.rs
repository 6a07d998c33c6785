//! Where reports go.

use std::{future::Future, pin::Pin};

use serde::{Deserialize, Serialize};

use super::Report;
use crate::policy::guard::Granted;

/// What the receiver of a report answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// Whether the next report is to hold everything: the receiver does not know what this one builds on.
    #[serde(default)]
    pub full: bool,
    /// What the reporter holds to from now on, of limits in the report that many hold to. Of others nothing has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<Granted>,
}

/// A report that was not taken. What it told is told again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Nobody takes reports at the moment.
    #[error("reports are not taken at the moment: {0}")]
    Away(String),
    /// The report was refused, and would be again.
    #[error("reports are refused: {0}")]
    Refused(String),
}

/// Takes reports, in this process or over the wire: a reporter cannot tell.
pub trait ReportSink: Send {
    /// Hands `report` over. Takes a bounded time.
    fn report(
        &mut self,
        report: Report,
    ) -> Pin<Box<dyn Future<Output = Result<Received, ReportError>> + Send + '_>>;
}
