//! `guildhall graph`: who depends on whom.

use std::{collections::BTreeSet, fmt::Write as _};

use clap::Args;
use guildhall_core::{
    document::ServiceName,
    registry::{DependencyType, Graph as Found},
};

use super::{
    Failure,
    context::Context,
    output::{self, Format},
    words,
};

const EXAMPLES: &str = "\
Examples:
  guildhall graph
  guildhall graph -o dot | dot -Tsvg > graph.svg
  guildhall graph -o json";

/// Show who depends on whom
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Graph {}

impl Graph {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let graph = context
            .client
            .graph(Some(&context.namespace))
            .await
            .map_err(|error| Failure::call("the graph cannot be read", &error))?;
        match context.output {
            Format::Table => output::text(&tree(&graph)),
            Format::Dot => output::text(&dot(&graph)),
            Format::Json => output::json(&graph),
            Format::Yaml => output::yaml(&graph),
            Format::Name => output::text(
                &graph
                    .nodes
                    .iter()
                    .map(|node| format!("{}\n", node.service))
                    .collect::<String>(),
            ),
        }
    }
}

/// Every service that nobody calls, with what it calls below it; then what hangs in circles, and what is missing.
pub(crate) fn tree(graph: &Found) -> String {
    if graph.nodes.is_empty() && graph.missing.is_empty() {
        return "no services\n".to_owned();
    }
    let mut text = String::new();
    let mut shown = BTreeSet::new();
    let called: BTreeSet<&ServiceName> = graph.edges.iter().map(|edge| &edge.to).collect();
    let (roots, others): (Vec<_>, Vec<_>) = graph
        .nodes
        .iter()
        .partition(|node| !called.contains(&node.service));
    // Services in a circle have no root: the first of each circle stands for it.
    for node in roots.into_iter().chain(others) {
        if !shown.contains(&node.service) {
            branch(
                graph,
                &node.service,
                String::new(),
                "",
                &mut Vec::new(),
                &mut shown,
                &mut text,
            );
        }
    }
    for cycle in &graph.cycles {
        let path: Vec<&str> = cycle.path.iter().map(ServiceName::as_str).collect();
        let word = if cycle.synchronous {
            "cycle"
        } else {
            "cycle (broken by a message)"
        };
        let _ = writeln!(text, "{word}: {}", path.join(" → "));
    }
    for missing in &graph.missing {
        let callers: Vec<&str> = missing.wanted_by.iter().map(ServiceName::as_str).collect();
        let _ = writeln!(
            text,
            "missing: {}, called by {}",
            missing.service,
            callers.join(", ")
        );
    }
    text
}

/// One service and what it calls. What was shown with its own branches is not repeated.
fn branch<'a>(
    graph: &'a Found,
    service: &'a ServiceName,
    prefix: String,
    note: &str,
    above: &mut Vec<&'a ServiceName>,
    shown: &mut BTreeSet<&'a ServiceName>,
    text: &mut String,
) {
    let instances = graph
        .node(service.as_str())
        .map_or("not there".to_owned(), |node| {
            words::counts(&node.instances).0
        });
    let again = if above.contains(&service) {
        ", as above"
    } else {
        ""
    };
    let _ = writeln!(text, "{service}  {instances}{note}{again}");
    let first = shown.insert(service);
    if !again.is_empty() || !first {
        return;
    }
    above.push(service);
    let edges: Vec<_> = graph
        .edges
        .iter()
        .filter(|edge| edge.from == *service)
        .collect();
    for (at, edge) in edges.iter().enumerate() {
        let last = at + 1 == edges.len();
        let (twig, below) = if last {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let mut notes = Vec::new();
        if edge.kind == DependencyType::Asynchronous {
            notes.push("asynchronous");
        }
        if edge.optional {
            notes.push("optional");
        }
        let note = if notes.is_empty() {
            String::new()
        } else {
            format!("  ({})", notes.join(", "))
        };
        let _ = write!(text, "{prefix}{twig}");
        branch(
            graph,
            &edge.to,
            format!("{prefix}{below}"),
            &note,
            above,
            shown,
            text,
        );
    }
    above.pop();
}

/// The graph for Graphviz: dashed is asynchronous, grey is optional, red is missing.
fn dot(graph: &Found) -> String {
    let mut text = String::from(
        "digraph services {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n",
    );
    for node in &graph.nodes {
        let _ = writeln!(
            text,
            "  \"{}\" [label=\"{}\\n{}\"];",
            node.service,
            node.service,
            words::counts(&node.instances).0
        );
    }
    for missing in &graph.missing {
        let _ = writeln!(
            text,
            "  \"{}\" [color=red, fontcolor=red];",
            missing.service
        );
    }
    for edge in &graph.edges {
        let style = if edge.kind == DependencyType::Asynchronous {
            "dashed"
        } else {
            "solid"
        };
        let colour = if edge.optional { "gray" } else { "black" };
        let _ = writeln!(
            text,
            "  \"{}\" -> \"{}\" [style={style}, color={colour}];",
            edge.from, edge.to
        );
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use guildhall_core::{
        document::{Body, Document, Kind, Namespace},
        registry::{Catalog, graph},
    };

    use super::*;

    fn version(name: &str, dependencies: &str) -> Document {
        let json = format!(r#"{{"spec": {{"dependencies": {dependencies}}}}}"#);
        let body = Body::parse(&json).unwrap();
        body.into_document(
            Kind::ServiceVersion,
            Some(&Namespace::default()),
            Some(&format!("{name}/1")),
        )
        .unwrap()
    }

    fn found(versions: &[(&str, &str)]) -> Found {
        let documents: Vec<Document> = versions
            .iter()
            .map(|(name, calls)| version(name, calls))
            .collect();
        graph(&Catalog::load(&documents, 1), &Namespace::default())
    }

    #[test]
    fn a_tree_shows_every_call_once() {
        let graph = found(&[
            (
                "orders",
                r#"["users", {"service": "mail", "type": "asynchronous", "optional": true}]"#,
            ),
            ("users", r#"["ledger"]"#),
            ("web", r#"["orders", "users"]"#),
            ("ledger", "[]"),
        ]);
        let expect = "\
web  0/0
├─ orders  0/0
│  ├─ mail  not there  (asynchronous, optional)
│  └─ users  0/0
│     └─ ledger  0/0
└─ users  0/0
missing: mail, called by orders
";
        assert_eq!(tree(&graph), expect);
        assert!(dot(&graph).contains("\"orders\" -> \"mail\" [style=dashed, color=gray];"));
    }

    #[test]
    fn a_circle_ends() {
        let graph = found(&[("a", r#"["b"]"#), ("b", r#"["a"]"#)]);
        assert_eq!(
            tree(&graph),
            "a  0/0\n└─ b  0/0\n   └─ a  0/0, as above\ncycle: a → b → a\n"
        );
    }
}
