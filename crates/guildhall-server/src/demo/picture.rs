//! The dependency graph and its impact as a few lines of text.

use std::fmt::Write;

use guildhall_core::registry::{DependencyType, Graph, Impact};

/// One line for each service, and under it one for each that it calls.
pub(super) fn graph(graph: &Graph) -> String {
    let mut text = String::new();
    for node in &graph.nodes {
        let versions: Vec<&str> = node
            .versions
            .iter()
            .filter_map(|version| version.version.as_ref())
            .map(|name| name.as_str())
            .collect();
        let counts = node.instances;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{} {} · {} of {} instances healthy",
            node.service,
            versions.join(", "),
            counts.used(),
            counts.total
        );
        for edge in graph.edges.iter().filter(|edge| edge.from == node.service) {
            let kind = match edge.kind {
                DependencyType::Synchronous => "waits for the answer",
                DependencyType::Asynchronous => "does not wait",
            };
            let optional = if edge.optional {
                ", can do without"
            } else {
                ""
            };
            let _ = writeln!(text, "  └─▶ {} ({kind}{optional})", edge.to);
        }
    }
    text
}

/// Who suffers if the service is drained.
pub(super) fn impact(impact: &Impact) -> String {
    let names = |affected: &[guildhall_core::registry::graph::Affected]| {
        let names: Vec<&str> = affected
            .iter()
            .map(|affected| affected.service.as_str())
            .collect();
        if names.is_empty() {
            "nobody".to_owned()
        } else {
            names.join(", ")
        }
    };
    format!(
        "without {}: {} breaks, {} goes on with less",
        impact.service,
        names(&impact.breaks),
        names(&impact.degrades)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_caller_stands_above_what_it_calls() {
        let counts = json!({"total": 2, "healthy": 1, "warning": 0, "unhealthy": 1, "starting": 0, "draining": 0,
            "maintenance": 0});
        let node = |service: &str| {
            json!({"service": service, "instances": counts,
                "versions": [{"version": "1.0.0", "registered": true, "instances": counts}]})
        };
        let value = json!({
            "namespace": "default", "cycles": [], "missing": [],
            "nodes": [node("order-service"), node("user-service")],
            "edges": [{"from": "order-service", "to": "user-service", "type": "synchronous", "optional": false,
                "versions": ["1.0.0"]}],
        });
        let picture = graph(&serde_json::from_value(value).unwrap());
        let expected = "\
order-service 1.0.0 · 1 of 2 instances healthy
  └─▶ user-service (waits for the answer)
user-service 1.0.0 · 1 of 2 instances healthy
";
        assert_eq!(picture, expected);
        let value = json!({"service": "user-service", "degrades": [],
            "breaks": [{"service": "order-service", "direct": true, "path": ["order-service", "user-service"]}]});
        assert_eq!(
            impact(&serde_json::from_value(value).unwrap()),
            "without user-service: order-service breaks, nobody goes on with less"
        );
    }
}
