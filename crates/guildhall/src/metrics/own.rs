//! The author's own metrics, by name, bounded.

use std::{
    collections::HashMap,
    sync::atomic::AtomicU64,
    sync::{Mutex, PoisonError},
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// The most names.
const MAX_NAMES: usize = 200;
/// The most sets of labels of one name.
const MAX_SERIES: usize = 1_000;
/// The most labels of one set, and the most bytes of a label's value.
const MAX_LABELS: usize = 16;
const MAX_VALUE: usize = 256;

type Labels = Vec<(String, String)>;
type Gauges = Family<Labels, Gauge<f64, AtomicU64>>;

/// What is to be noted.
#[derive(Clone, Copy)]
pub(super) enum Value {
    Count(u64),
    Gauge(f64),
    Record(f64),
}

/// A metric under its name.
enum Metric {
    Counter(Family<Labels, Counter>),
    Gauge(Gauges),
    Histogram(Family<Labels, Histogram, fn() -> Histogram>),
}

impl Metric {
    /// The kind of metric that takes such a value.
    fn taking(value: Value) -> Self {
        match value {
            Value::Count(_) => Self::Counter(Family::default()),
            Value::Gauge(_) => Self::Gauge(Family::default()),
            Value::Record(_) => {
                Self::Histogram(Family::new_with_constructor(|| Histogram::new(buckets())))
            }
        }
    }

    fn register(&self, registry: &mut Registry, name: &str) {
        const HELP: &str = "The service's own";
        match self {
            Self::Counter(family) => registry.register(name, HELP, family.clone()),
            Self::Gauge(family) => registry.register(name, HELP, family.clone()),
            Self::Histogram(family) => registry.register(name, HELP, family.clone()),
        }
    }

    /// Whether there is a series of these labels already.
    fn has(&self, labels: &Labels) -> bool {
        match self {
            Self::Counter(family) => family.get(labels).is_some(),
            Self::Gauge(family) => family.get(labels).is_some(),
            Self::Histogram(family) => family.get(labels).is_some(),
        }
    }

    /// Notes the value; false if it is not of this metric's kind.
    fn take(&self, labels: &Labels, value: Value) -> bool {
        match (self, value) {
            (Self::Counter(family), Value::Count(by)) => {
                family.get_or_create(labels).inc_by(by);
            }
            (Self::Gauge(family), Value::Gauge(value)) => {
                family.get_or_create(labels).set(value);
            }
            (Self::Histogram(family), Value::Record(value)) if value.is_finite() => {
                family.get_or_create(labels).observe(value);
            }
            _ => return false,
        }
        true
    }
}

fn buckets() -> impl Iterator<Item = f64> {
    (-3..7)
        .flat_map(|power| [1.0, 2.0, 5.0].map(|n| n * 10f64.powi(power)))
        .chain([1e7])
}

/// All of the author's metrics.
pub(super) struct Own {
    /// Each with the number of its series.
    metrics: Mutex<HashMap<String, (Metric, usize)>>,
    dropped: Counter,
}

impl Own {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let dropped = Counter::default();
        let help =
            "Values of the service's own metrics that were dropped: too many, or badly named";
        registry.register("guildhall_metrics_dropped", help, dropped.clone());
        Self {
            metrics: Mutex::default(),
            dropped,
        }
    }

    /// Notes a value, or counts that it was dropped.
    pub(super) fn note(
        &self,
        registry: &Mutex<Registry>,
        name: &str,
        value: Value,
        labels: &[(&str, &str)],
    ) {
        // The first says why, the rest only count: a hot path must not fill the log.
        if !self.taken(registry, name, value, labels) && self.dropped.inc() == 0 {
            tracing::warn!(
                metric = name,
                "a value was dropped: too many names or labels, or badly named"
            );
        }
    }

    fn taken(
        &self,
        registry: &Mutex<Registry>,
        name: &str,
        value: Value,
        labels: &[(&str, &str)],
    ) -> bool {
        let Some(labels) = checked(labels) else {
            return false;
        };
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if !metrics.contains_key(name) {
            if metrics.len() >= MAX_NAMES || !is_name(name) || is_ours(name) {
                return false;
            }
            let metric = Metric::taking(value);
            metric.register(
                &mut registry.lock().unwrap_or_else(PoisonError::into_inner),
                name,
            );
            metrics.insert(name.to_owned(), (metric, 0));
        }
        let Some((metric, series)) = metrics.get_mut(name) else {
            return false;
        };
        let new = !metric.has(&labels);
        if new && *series >= MAX_SERIES {
            return false;
        }
        let taken = metric.take(&labels, value);
        *series += usize::from(new && taken);
        taken
    }
}

/// Names of the SDK's own metrics: a second family of that name would make the text invalid.
fn is_ours(name: &str) -> bool {
    name.starts_with("guildhall_")
        || [
            "http_requests",
            "http_requests_active",
            "http_request_duration_seconds",
            "process_resident_memory_bytes",
        ]
        .contains(&name)
}

fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.len() <= 200
        && name.chars().all(legal)
        && name.chars().next().is_some_and(|c| !c.is_ascii_digit())
}

/// The labels in their order, if all are well formed.
fn checked(labels: &[(&str, &str)]) -> Option<Labels> {
    let mut sorted: Labels = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).any(|pair| pair[0].0 == pair[1].0);
    let good = |(key, value): &(String, String)| {
        is_name(key)
            && !key.contains(':')
            && !["le", "quantile"].contains(&key.as_str())
            && value.len() <= MAX_VALUE
    };
    (sorted.len() <= MAX_LABELS && !twice && sorted.iter().all(good)).then_some(sorted)
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    fn dropped(metrics: &Metrics) -> u64 {
        let text = metrics.encode();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("guildhall_metrics_dropped_total "))
            .unwrap();
        line.parse().unwrap()
    }

    #[test]
    fn values_are_counted_summed_and_told_apart_by_labels() {
        let metrics = Metrics::new();
        metrics.count("orders_total", 2, &[("b", "2"), ("a", "1")]);
        metrics.count("orders", 1, &[("a", "1"), ("b", "2")]);
        metrics.record("size", 3.0, &[]);
        metrics.record("size", 5.0, &[]);
        let text = metrics.encode();
        for line in [
            "orders_total{a=\"1\",b=\"2\"} 3",
            "size_count{} 2",
            "size_sum{} 8.0",
            "size_bucket{le=\"5.0\"} 2",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert_eq!(dropped(&metrics), 0);
    }

    #[test]
    fn what_cannot_be_taken_is_counted() {
        let metrics = Metrics::new();
        metrics.gauge("1st", 1.0, &[]);
        metrics.gauge("http_requests", 1.0, &[]);
        metrics.gauge("g", 1.0, &[("le", "1")]);
        metrics.gauge("g", 1.0, &[("a", "1"), ("a", "2")]);
        metrics.gauge("good", 1.0, &[]);
        metrics.count("good", 1, &[]);
        metrics.record("h", f64::NAN, &[]);
        assert_eq!(dropped(&metrics), 6);
    }

    #[test]
    fn names_and_series_are_bounded() {
        let metrics = Metrics::new();
        for n in 0..1_010 {
            metrics.gauge("series", 1.0, &[("n", &n.to_string())]);
        }
        for n in 0..209 {
            metrics.gauge(&format!("name_{n}"), 1.0, &[]);
        }
        assert_eq!(dropped(&metrics), 20);
    }
}
