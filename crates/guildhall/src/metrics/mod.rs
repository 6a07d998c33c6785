//! Metrics in OpenMetrics text at `/metrics`: those of requests, of calls to other services, and the author's own.

mod calls;
#[cfg(feature = "grpc")]
mod grpc;
mod http;
mod own;

use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use calls::{CallMetrics, Meter};
#[cfg(feature = "grpc")]
pub(crate) use grpc::GrpcMetrics;
pub(crate) use http::HttpMetrics;
use own::Value;
use prometheus_client::{encoding::text::encode, metrics::gauge::Gauge, registry::Registry};

use crate::health::resident_bytes;

/// The content type of what [`Metrics::encode`] writes.
pub(crate) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A service's metrics; clones are the same.
///
/// Metrics of the author's own come into being when they are first used. What would make them grow
/// without limit (more than 200 names, more than 1,000 sets of labels for one name) and what cannot
/// be written down (a bad name, a name used in two ways) is dropped and counted in
/// `guildhall_metrics_dropped_total`.
///
/// ```
/// let service = guildhall::Service::new("order-service", "1.0.0");
/// let metrics = service.metrics();
/// metrics.count("orders", 1, &[("kind", "express")]);
/// metrics.gauge("queue_length", 7.0, &[]);
/// metrics.record("basket_value", 129.90, &[]);
/// let text = metrics.encode();
/// assert!(text.contains("orders_total{kind=\"express\"} 1"));
/// assert!(text.contains("queue_length{} 7.0"));
/// assert!(text.contains("basket_value_sum{} 129.9"));
/// ```
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    pub(crate) http: HttpMetrics,
    #[cfg(feature = "grpc")]
    pub(crate) grpc: GrpcMetrics,
    pub(crate) calls: CallMetrics,
    own: Arc<own::Own>,
    resident: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::default();
        let http = HttpMetrics::register(&mut registry);
        #[cfg(feature = "grpc")]
        let grpc = GrpcMetrics::register(&mut registry);
        let calls = CallMetrics::register(&mut registry);
        let resident = Gauge::default();
        registry.register(
            "process_resident_memory_bytes",
            "Resident memory of the process in bytes",
            resident.clone(),
        );
        let own = Arc::new(own::Own::register(&mut registry));
        Self {
            registry: Arc::new(Mutex::new(registry)),
            http,
            #[cfg(feature = "grpc")]
            grpc,
            calls,
            own,
            resident,
        }
    }

    /// Adds `by` to a counter. Its name is written with `_total` at the end, given or not.
    pub fn count(&self, name: &str, by: u64, labels: &[(&str, &str)]) {
        let name = name.strip_suffix("_total").unwrap_or(name);
        self.own
            .note(&self.registry, name, Value::Count(by), labels);
    }

    /// Sets a gauge.
    pub fn gauge(&self, name: &str, value: f64, labels: &[(&str, &str)]) {
        self.own
            .note(&self.registry, name, Value::Gauge(value), labels);
    }

    /// Records a value: how many there were, their sum (and so their average), and how they are
    /// distributed, in buckets of 1, 2 and 5 times the powers of ten from 0.001 to 10,000,000.
    pub fn record(&self, name: &str, value: f64, labels: &[(&str, &str)]) {
        self.own
            .note(&self.registry, name, Value::Record(value), labels);
    }

    /// Everything in OpenMetrics text.
    pub fn encode(&self) -> String {
        if let Some(bytes) = resident_bytes() {
            self.resident.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = encode(&mut text, &registry) {
            tracing::error!(%error, "the metrics cannot be written down");
        }
        text
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}
