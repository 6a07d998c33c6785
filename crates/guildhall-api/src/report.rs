//! Sending reports without ever waiting for them: what gateways and SDKs do with their [`Reporter`].

use std::{future::Future, pin::Pin};

use guildhall_core::{
    policy::{
        guard::{Granted, GuardState},
        report::{Received, Report, ReportError, ReportSink, Reporter},
    },
    registry::health::Moment,
};
use tokio::{
    sync::mpsc::{self, error::TryRecvError},
    task::JoinHandle,
};

use crate::{
    client::{Client, ClientError},
    wire::Code,
};

/// Reports to control nodes far away.
#[derive(Clone, Debug)]
pub struct RemoteSink {
    client: Client,
}

impl RemoteSink {
    /// Reports through `client`, whose token must allow writes.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl ReportSink for RemoteSink {
    fn report(
        &mut self,
        report: Report,
    ) -> Pin<Box<dyn Future<Output = Result<Received, ReportError>> + Send + '_>> {
        Box::pin(async move { self.client.report_fleet(&report).await.map_err(told) })
    }
}

/// What a failed call means to a reporter. A server of the version before knows no reports, and its successor may be
/// on its way: that is a refusal, too, as those are tried again, seldom.
fn told(error: ClientError) -> ReportError {
    let text = error.to_string();
    match error.code() {
        Some(
            Code::Forbidden
            | Code::Unauthenticated
            | Code::InvalidDocument
            | Code::BadRequest
            | Code::UnknownPath
            | Code::MethodNotAllowed
            | Code::BodyTooLarge,
        ) => ReportError::Refused(text),
        _ => ReportError::Away(text),
    }
}

/// Which report it was, and what became of it.
type Outcome = (u64, Result<Received, ReportError>);

/// Carries reports to a sink in a task of its own. Whoever owns machines shows them every
/// [`OBSERVE_EVERY`](guildhall_core::policy::report::OBSERVE_EVERY), which costs no waiting.
#[derive(Debug)]
pub struct Courier {
    reporter: Reporter,
    reports: mpsc::Sender<Report>,
    outcomes: mpsc::Receiver<Outcome>,
    task: JoinHandle<()>,
    /// Whether the last report was not taken: said in the log once, not every time.
    failing: bool,
}

impl Courier {
    /// Starts the task on the present runtime.
    pub fn start(reporter: Reporter, sink: Box<dyn ReportSink>) -> Self {
        let (reports, waiting) = mpsc::channel(1);
        let (sender, outcomes) = mpsc::channel(1);
        Self {
            reporter,
            reports,
            outcomes,
            task: tokio::spawn(carry(sink, waiting, sender)),
            failing: false,
        }
    }

    /// What the answer to the last report gives of limits that others hold to, too. Grant it
    /// ([`Guards::grant`](guildhall_core::policy::guard::Guards::grant)) before the machines are shown again: what they hold
    /// is told anew then.
    #[must_use = "a part that is not granted is lost until the next report"]
    pub fn hear(&mut self, now: Moment) -> Vec<Granted> {
        match self.outcomes.try_recv() {
            // Otherwise it was given up.
            Ok((sequence, outcome)) if self.reporter.awaits(sequence) => {
                self.log(&outcome);
                self.reporter.sent(&outcome, now.monotonic);
                outcome.map_or_else(|_| Vec::new(), |received| received.shares)
            }
            Ok(_) | Err(TryRecvError::Empty | TryRecvError::Disconnected) => Vec::new(),
        }
    }

    /// Shows all machines there are, after [`hear`](Self::hear); sends a report if one is due.
    pub fn observe(&mut self, machines: impl IntoIterator<Item = GuardState>, now: Moment) {
        self.reporter.observe(machines, now);
        if let Some(report) = self.reporter.due(now.monotonic) {
            // There is room: the reporter has one report under way at a time. Where the runtime is
            // ending there may be no task any more, and nobody to tell.
            let _ = self.reports.try_send(report);
        }
    }

    fn log(&mut self, outcome: &Result<Received, ReportError>) {
        match outcome {
            Ok(_) if self.failing => tracing::info!("breakers and limits are reported again"),
            Err(error) if !self.failing => {
                tracing::warn!(%error, "breakers and limits are not reported; requests are not concerned");
            }
            _ => {}
        }
        self.failing = outcome.is_err();
    }

    /// Says that there is nothing any more, so that nobody believes in it until the silence is noticed, and ends the task.
    /// How long to wait is the caller's to bound.
    pub async fn stop(mut self, now: Moment) {
        self.reporter.observe([], now);
        if let Some(farewell) = self.reporter.farewell() {
            // The task takes it once the report under way is done.
            let _ = self.reports.send(farewell).await;
        }
        drop(self.reports);
        drop(self.outcomes);
        // A task that panicked has been reported.
        let _ = self.task.await;
    }
}

async fn carry(
    mut sink: Box<dyn ReportSink>,
    mut reports: mpsc::Receiver<Report>,
    outcomes: mpsc::Sender<Outcome>,
) {
    while let Some(report) = reports.recv().await {
        let sequence = report.sequence;
        let outcome = (sequence, sink.report(report).await);
        // Nobody waits for the outcome of a farewell.
        let _ = outcomes.send(outcome).await;
    }
}
