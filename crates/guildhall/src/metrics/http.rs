//! The metrics of requests.

use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Upper bounds in seconds: Prometheus' usual ones, and shorter ones for services on one network.
pub(super) const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Counted {
    method: String,
    path: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    method: String,
    path: String,
}

/// The metrics of requests. Their labels are bounded: `path` is the route's pattern, `method` one
/// of HTTP's own.
#[derive(Clone, Debug)]
pub(crate) struct HttpMetrics {
    total: Family<Counted, Counter>,
    duration: Family<Timed, Histogram, fn() -> Histogram>,
    active: Gauge,
}

impl HttpMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            total: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            active: Gauge::default(),
        };
        registry.register("http_requests", "Requests answered", metrics.total.clone());
        let help = "Seconds from a request to the head of its answer";
        registry.register(
            "http_request_duration_seconds",
            help,
            metrics.duration.clone(),
        );
        registry.register(
            "http_requests_active",
            "Requests being answered",
            metrics.active.clone(),
        );
        metrics
    }

    /// Notes that a request is being answered, until the guard is dropped.
    pub(crate) fn enter(&self) -> Active {
        self.active.inc();
        Active(self.active.clone())
    }

    /// Notes an answered request; `path` is the matched pattern, `None` if nothing matched.
    pub(crate) fn observe(
        &self,
        method: &Method,
        path: Option<&str>,
        status: StatusCode,
        took: Duration,
    ) {
        let timed = Timed {
            method: bounded(method).to_owned(),
            path: path.unwrap_or("unmatched").to_owned(),
        };
        self.duration
            .get_or_create(&timed)
            .observe(took.as_secs_f64());
        let counted = Counted {
            method: timed.method,
            path: timed.path,
            status: status.as_u16(),
        };
        self.total.get_or_create(&counted).inc();
    }
}

/// A request that is being answered; also one whose client went away counts down.
pub(crate) struct Active(Gauge);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn bounded(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::HEAD,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    if known.contains(method) {
        method.as_str()
    } else {
        "other"
    }
}
