//! The metrics of calls by gRPC that are answered here. Their names and labels are those of go-grpc-prometheus, which
//! dashboards know.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use super::http::BUCKETS;

/// gRPC's status codes by number, as the label has them.
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// The codes that are no sign that there is such a method: PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED, and
/// CANCELLED, which is the caller's.
const NO_PROOF: [usize; 4] = [1, 7, 12, 16];
/// The most methods that have labels of their own.
const MOST_METHODS: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handled {
    grpc_service: String,
    grpc_method: String,
    grpc_code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    grpc_service: String,
    grpc_method: String,
}

/// The metrics of calls by gRPC. Their labels are bounded: services are those that are served, and a method has its own
/// label once a call of it ended in a way that says that it is there.
#[derive(Clone, Debug)]
pub(crate) struct GrpcMetrics {
    handled: Family<Handled, Counter>,
    took: Family<Timed, Histogram, fn() -> Histogram>,
    active: Gauge,
    methods: Arc<Mutex<BTreeSet<String>>>,
}

impl GrpcMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            handled: Family::default(),
            took: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            active: Gauge::default(),
            methods: Arc::default(),
        };
        registry.register(
            "grpc_server_handled",
            "Calls answered by gRPC, by their status",
            metrics.handled.clone(),
        );
        registry.register(
            "grpc_server_handling_seconds",
            "Seconds from a call by gRPC to the end of its answer's stream",
            metrics.took.clone(),
        );
        registry.register(
            "grpc_server_active",
            "Calls by gRPC being answered",
            metrics.active.clone(),
        );
        metrics
    }

    /// A call begins.
    pub(crate) fn begin(&self) {
        self.active.inc();
    }

    /// A call of `path` is over, by the status of this number.
    pub(crate) fn end(&self, path: &str, code: usize, took: Duration) {
        self.active.dec();
        let (service, method) = path
            .trim_start_matches('/')
            .split_once('/')
            .unwrap_or((path, ""));
        let timed = Timed {
            grpc_service: service.to_owned(),
            grpc_method: match self.is_method(path, code) {
                true => method.to_owned(),
                false => "unknown".to_owned(),
            },
        };
        self.took.get_or_create(&timed).observe(took.as_secs_f64());
        let handled = Handled {
            grpc_service: timed.grpc_service,
            grpc_method: timed.grpc_method,
            grpc_code: CODES.get(code).copied().unwrap_or(CODES[2]),
        };
        self.handled.get_or_create(&handled).inc();
    }

    fn is_method(&self, path: &str, code: usize) -> bool {
        let mut methods = self.methods.lock().unwrap_or_else(PoisonError::into_inner);
        if methods.contains(path) {
            return true;
        }
        let learned = !NO_PROOF.contains(&code) && methods.len() < MOST_METHODS;
        if learned {
            methods.insert(path.to_owned());
        }
        learned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_methods_that_are_there_have_labels() {
        let mut registry = Registry::default();
        let metrics = GrpcMetrics::register(&mut registry);
        let end = |path: &str, code| {
            metrics.begin();
            metrics.end(path, code, Duration::from_millis(1));
        };
        end("/shop.Users/Made", 12);
        end("/shop.Users/Up", 16);
        end("/shop.Users/Get", 0);
        end("/shop.Users/Get", 12);
        for n in 0..2 * MOST_METHODS {
            end(&format!("/shop.Users/M{n}"), 2);
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let line = |method: &str, code: &str, count: usize| {
            let line = format!(
                "grpc_server_handled_total{{grpc_service=\"shop.Users\",grpc_method=\"{method}\",grpc_code=\"{code}\"}} {count}\n"
            );
            assert!(text.contains(&line), "{line}");
        };
        line("unknown", "Unimplemented", 1);
        line("unknown", "Unauthenticated", 1);
        line("unknown", "Unknown", MOST_METHODS + 1);
        line("Get", "OK", 1);
        line("Get", "Unimplemented", 1);
        assert!(text.contains("grpc_server_active 0\n"));
    }
}
