//! Dependencies point one way (DESIGN: the layout). A crate that may not see another cannot use it by accident; that is
//! most of what the crate boundaries are for.
//!
//! Normal and build dependencies count; dev-dependencies are free. The leaf users (the harness, the examples, the test
//! kit, xtask) may use anything, and nothing but dev-dependencies may lead to them, with the exceptions of [`LEAVES`].

use serde_json::Value;

use super::Finding;

/// What each crate may use directly. A crate that is not here, nor a leaf, is a finding: its place must be decided.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("guildhall-resilience", &[]),
    ("guildhall-log", &[]),
    ("guildhall-core", &["guildhall-resilience"]),
    ("guildhall-store", &["guildhall-log", "guildhall-core"]),
    ("guildhall-telemetry", &["guildhall-log", "guildhall-core"]),
    ("guildhall-bus", &["guildhall-log", "guildhall-core"]),
    ("guildhall-api", &["guildhall-core"]),
    (
        "guildhall-control",
        &["guildhall-store", "guildhall-core", "guildhall-resilience"],
    ),
    (
        "guildhall-gateway",
        &["guildhall-api", "guildhall-core", "guildhall-resilience"],
    ),
    ("guildhall-adapters", &["guildhall-api", "guildhall-core"]),
    (
        "guildhall",
        &["guildhall-api", "guildhall-core", "guildhall-resilience"],
    ),
    (
        "guildhall-server",
        &[
            "guildhall",
            "guildhall-adapters",
            "guildhall-api",
            "guildhall-bus",
            "guildhall-control",
            "guildhall-core",
            "guildhall-gateway",
            "guildhall-log",
            "guildhall-resilience",
            "guildhall-shop",
            "guildhall-store",
            "guildhall-telemetry",
        ],
    ),
];

/// Crates that may use anything, and who may use them other than in tests.
const LEAVES: [(&str, &[&str]); 7] = [
    ("guildhall-testkit", &[]),
    ("guildhall-bench", &[]),
    ("guildhall-bench-micro", &[]),
    ("guildhall-bench-sim", &[]),
    ("guildhall-hello", &[]),
    ("guildhall-shop", &["guildhall-server"]),
    ("xtask", &[]),
];

/// One workspace crate, and the workspace crates it uses other than in tests.
#[derive(Debug)]
pub(crate) struct Crate {
    name: String,
    uses: Vec<String>,
}

/// Reads the workspace's crates and their edges from `cargo metadata --no-deps`.
pub(crate) fn edges(metadata: &Value) -> Vec<Crate> {
    let packages = metadata["packages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let name_of = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    packages
        .iter()
        .map(|package| Crate {
            name: name_of(package),
            uses: package["dependencies"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default()
                .iter()
                // A path is what tells a workspace member from a crate of the registry.
                .filter(|dependency| dependency["kind"] != "dev" && dependency["path"].is_string())
                .map(name_of)
                .collect(),
        })
        .collect()
}

/// Every edge that points the wrong way.
pub(crate) fn findings(crates: &[Crate]) -> Vec<Finding> {
    crates.iter().flat_map(findings_of).collect()
}

fn findings_of(user: &Crate) -> Vec<Finding> {
    let name = user.name.as_str();
    let leaf = LEAVES.iter().any(|(leaf, _)| *leaf == name);
    let allowed = ALLOWED
        .iter()
        .find(|(listed, _)| *listed == name)
        .map(|(_, uses)| *uses);
    if !leaf && allowed.is_none() {
        return vec![Finding::file(
            name,
            "this crate has no place yet: decide what it may use, in xtask/src/tidy/dependencies.rs and the design",
        )];
    }
    let refused = |used: &str| {
        if let Some((_, users)) = LEAVES.iter().find(|(listed, _)| *listed == used) {
            return !users.contains(&name);
        }
        !leaf && !allowed.unwrap_or_default().contains(&used)
    };
    user.uses
        .iter()
        .filter(|used| refused(used))
        .map(|used| {
            let may = match allowed {
                Some(uses) if !uses.is_empty() => format!("it may use {}", uses.join(", ")),
                Some(_) => "it may use no other crate of the workspace".to_owned(),
                None => "only dev-dependencies lead there".to_owned(),
            };
            Finding::file(name, format!("must not depend on {used}; {may}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check(edges: &[(&str, &[&str])], expect: &str) {
        let crates: Vec<Crate> = edges
            .iter()
            .map(|(name, uses)| Crate {
                name: (*name).to_owned(),
                uses: uses.iter().map(|used| (*used).to_owned()).collect(),
            })
            .collect();
        assert_eq!(render(&findings(&crates)), expect);
    }

    #[test]
    fn allowed_edges_pass() {
        check(
            &[
                ("guildhall-core", &["guildhall-resilience"]),
                ("guildhall-store", &["guildhall-log", "guildhall-core"]),
                ("guildhall-server", &["guildhall-shop", "guildhall-store"]),
                ("guildhall-bench", &["guildhall-store", "guildhall-api"]),
            ],
            "",
        );
    }

    #[test]
    fn the_gateway_never_sees_the_store() {
        check(
            &[("guildhall-gateway", &["guildhall-store"])],
            "guildhall-gateway: must not depend on guildhall-store; \
             it may use guildhall-api, guildhall-core, guildhall-resilience",
        );
    }

    #[test]
    fn resilience_and_the_log_stand_alone() {
        check(
            &[("guildhall-log", &["guildhall-core"])],
            "guildhall-log: must not depend on guildhall-core; it may use no other crate of the workspace",
        );
    }

    #[test]
    fn nothing_ships_with_the_test_kit_or_the_shop() {
        check(
            &[
                ("guildhall-bench", &["guildhall-testkit"]),
                ("guildhall-api", &["guildhall-shop"]),
            ],
            "guildhall-bench: must not depend on guildhall-testkit; only dev-dependencies lead there\n\
             guildhall-api: must not depend on guildhall-shop; it may use guildhall-core",
        );
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        check(
            &[("guildhall-common", &[])],
            "guildhall-common: this crate has no place yet: decide what it may use, \
             in xtask/src/tidy/dependencies.rs and the design",
        );
    }

    #[test]
    fn dev_dependencies_and_the_registry_are_free() {
        let metadata = serde_json::json!({"packages": [{"name": "guildhall-core", "dependencies": [
            {"name": "guildhall-testkit", "kind": "dev", "path": "/w/crates/guildhall-testkit"},
            {"name": "serde", "kind": null},
            {"name": "guildhall-log", "kind": "build", "path": "/w/crates/guildhall-log"},
        ]}]});
        assert_eq!(
            render(&findings(&edges(&metadata))),
            "guildhall-core: must not depend on guildhall-log; it may use guildhall-resilience"
        );
    }
}
