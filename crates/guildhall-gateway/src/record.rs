//! What is known of one request, from its head to the end of its answer.
//!
//! A record travels with the request and ends with the answer's body, wherever that is dropped:
//! then it is counted and logged, once. One that ends without an answer was left by its client.

use std::{rc::Rc, sync::Arc, time::Instant};

use guildhall_core::{
    policy::{self, guard::Rejected},
    route::{Decision, Reason, table::Rule},
};
use guildhall_resilience::fallback::Source;
use http::{HeaderValue, Method, Uri, Version, header, request};

use crate::{
    access_log::LogLine,
    clock,
    connections::Client,
    exchange::Lane,
    headers::RequestId,
    policy::Policed,
    snapshot::Cluster,
    upstream::{Upload, Upstream},
    worker::Worker,
};

#[derive(Debug)]
pub(crate) struct Record {
    worker: Rc<Worker>,
    client: Rc<Client>,
    pub(crate) started: Instant,
    pub(crate) reason: Reason,
    /// 0 until the answer's head is decided.
    pub(crate) status: u16,
    pub(crate) bytes_sent: u64,
    /// When the backend's answer began.
    pub(crate) answered: Option<Instant>,
    pub(crate) rule: Option<Arc<Rule>>,
    pub(crate) cluster: Option<Arc<Cluster>>,
    pub(crate) lane: Lane,
    pub(crate) upload: Option<Rc<Upload>>,
    pub(crate) detail: Option<&'static str>,
    /// What policies have to do with it.
    pub(crate) policed: Option<Box<Policed>>,
    /// What refused it.
    pub(crate) rejected: Option<Box<Rejected>>,
    /// What answered in the service's place.
    pub(crate) substituted: Option<Source>,
    seen: Option<Box<Seen>>,
}

/// What the access log shows of the request. Only kept where there is one.
#[derive(Debug)]
struct Seen {
    method: Method,
    target: Uri,
    version: Version,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    request_id: Option<RequestId>,
    trace: Option<HeaderValue>,
}

impl Record {
    pub(crate) fn begin(worker: &Rc<Worker>, client: &Rc<Client>, head: &request::Parts) -> Self {
        let stats = worker.stats();
        stats.requests_running.add(1);
        client.begin_request();
        let seen = worker.log_to.as_ref().map(|_| {
            let value = |name: header::HeaderName| head.headers.get(name).cloned();
            Box::new(Seen {
                method: head.method.clone(),
                target: head.uri.clone(),
                version: head.version,
                host: value(header::HOST),
                user_agent: value(header::USER_AGENT),
                request_id: None,
                trace: None,
            })
        });
        Self {
            worker: Rc::clone(worker),
            client: Rc::clone(client),
            started: clock::now(),
            reason: Reason::ClientGone,
            status: 0,
            bytes_sent: 0,
            answered: None,
            rule: None,
            cluster: None,
            lane: Lane::default(),
            upload: None,
            detail: None,
            policed: None,
            rejected: None,
            substituted: None,
            seen,
        }
    }

    /// The worker that has the request.
    pub(crate) fn worker(&self) -> &Worker {
        &self.worker
    }

    /// Notes the ids that the request goes by.
    pub(crate) fn identify(&mut self, request_id: &RequestId, trace: Option<HeaderValue>) {
        if let Some(seen) = &mut self.seen {
            seen.request_id = Some(request_id.clone());
            seen.trace = trace;
        }
    }

    /// What became of the request, as far as it is known.
    pub(crate) fn decision(&self) -> Decision<'_> {
        Decision {
            reason: self.reason,
            detail: self.detail,
            policy: self.policy(),
            rule: self.rule.as_deref(),
            service: self.cluster.as_deref().map(|cluster| &*cluster.label),
            service_revision: self
                .cluster
                .as_deref()
                .map_or(0, |cluster| cluster.revision),
            endpoint: self
                .lane
                .endpoint
                .as_ref()
                .map(|running| &*running.endpoint().label),
            attempts: self.lane.attempts,
        }
    }

    /// The policy that refused it, or answered in the service's place.
    fn policy(&self) -> Option<&policy::Source> {
        if let Some(rejected) = &self.rejected {
            return Some(&rejected.policy);
        }
        self.substituted?;
        let policed = self.policed.as_ref()?;
        let fallback = policed.way.enforced.fallback.as_ref()?;
        Some(&fallback.source)
    }

    /// A piece of the answer's body goes to the client.
    pub(crate) fn sends(&mut self, data: &[u8]) {
        self.bytes_sent += data.len() as u64;
        if let Some(policed) = &mut self.policed {
            policed.passes(data);
        }
    }

    /// The backend's answer has come to its end.
    pub(crate) fn ended(&mut self) {
        if let Some(policed) = &mut self.policed {
            policed.ended();
        }
    }

    /// The exchange on `upstream` is over: it may carry another one, of anybody on this worker.
    pub(crate) fn give_back(&self, mut upstream: Box<Upstream>) {
        if upstream.is_reusable() {
            self.worker.pools().put(upstream, self.worker.tick());
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.client.end_request();
        let stats = self.worker.stats();
        stats.requests_running.subtract(1);
        stats.requests.add(1);
        stats.classes[usize::from(self.status / 100).min(5)].add(1);
        stats.reasons[self.reason.index()].add(1);
        if let Some(rejected) = &self.rejected {
            self.worker.shared.workers[self.worker.index]
                .refused
                .count(&rejected.policy);
        }
        let (Some(seen), Some(log)) = (&self.seen, &self.worker.log_to) else {
            return;
        };
        let micros = |end: Instant| {
            u64::try_from(end.saturating_duration_since(self.started).as_micros())
                .unwrap_or(u64::MAX)
        };
        let target = seen
            .target
            .path_and_query()
            .map_or_else(|| seen.target.path(), |target| target.as_str());
        let line = LogLine {
            start: self.worker.wall.millis(self.started),
            method: seen.method.as_str(),
            target,
            version: seen.version,
            status: self.status,
            bytes_received: self.upload.as_ref().map_or(0, |upload| upload.bytes.get()),
            bytes_sent: self.bytes_sent,
            duration: micros(clock::now()),
            upstream_duration: self.answered.map(micros),
            remote: self.client.peer.forwarded_for.as_bytes(),
            user_agent: bytes(&seen.user_agent),
            request_id: seen.request_id.as_ref().map_or(b"", RequestId::as_bytes),
            trace: bytes(&seen.trace),
            authority: bytes(&seen.host),
            decision: self.decision(),
        };
        let dropped = self.worker.log().add(&line, log);
        stats.log_lines_dropped.add(dropped);
    }
}

fn bytes(value: &Option<HeaderValue>) -> &[u8] {
    value.as_ref().map_or(b"", HeaderValue::as_bytes)
}
