//! What is noted of a call: one line and its metrics, when it is over.

use std::time::Instant;

use tonic::Code;

use crate::{RequestContext, clock, metrics::GrpcMetrics};

/// A call that is being answered. Dropped before it is over, its caller went away.
pub(super) struct Record {
    metrics: GrpcMetrics,
    path: String,
    context: RequestContext,
    began: Instant,
    ended: bool,
}

impl Record {
    pub(super) fn begin(metrics: GrpcMetrics, path: String, context: &RequestContext) -> Self {
        metrics.begin();
        Self {
            metrics,
            path,
            context: context.clone(),
            began: clock::now(),
            ended: false,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// It ended so; what comes after the first end is none.
    pub(super) fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let took = clock::now().saturating_duration_since(self.began);
        self.metrics.end(&self.path, code as usize, took);
        tracing::info!(
            target: "guildhall::request",
            method = self.path,
            code = ?code,
            ms = format_args!("{:.3}", took.as_secs_f64() * 1e3),
            request_id = self.context.request_id(),
            "answered"
        );
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}
