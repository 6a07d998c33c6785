//! Policies: merge with provenance, status, compilation, and what an edit keeps.

mod configs;
mod edits;
mod guard;
mod merge;
mod report;
mod samples;
mod status;

use guildhall_core::document::{Metadata, Namespace, Timestamp, decode};
use guildhall_core::policy::{Chain, Compiled, Policies, Policy, compile, spec::TargetKind};
use serde_json::{Value, json};

/// A policy with its metadata. `at` is when it was created, and its revision.
struct Written {
    metadata: Metadata,
    policy: Policy,
}

fn written(name: &str, at: u64, target: Value, fields: Value) -> Written {
    written_in("default", name, at, json!([target]), fields)
}

fn written_in(namespace: &str, name: &str, at: u64, targets: Value, mut fields: Value) -> Written {
    fields["targetRefs"] = targets;
    Written {
        metadata: Metadata {
            revision: at,
            created_at: Some(Timestamp(at)),
            ..Metadata::named(Namespace::new(namespace).unwrap(), name)
        },
        policy: decode(&fields.to_string(), "/spec").unwrap(),
    }
}

fn policies(written: &[Written]) -> Policies {
    Policies::new(written.iter().map(|one| (&one.metadata, &one.policy)))
}

/// Rule `rule` of HTTPRoute `route` to service `users`, through listener `https` of Gateway `web`.
fn whole_chain() -> Chain {
    let here = Namespace::default();
    Chain::default()
        .route(TargetKind::HttpRoute, &here, "route", Some("rule"))
        .service(&here, "users")
        .gateway(&here, "web", Some("https"))
}

fn users() -> Value {
    json!({"kind": "Service", "name": "users"})
}

/// What one policy on the service makes of these fields.
fn compiled(fields: Value) -> Compiled {
    let all = policies(&[written("a", 1, users(), fields)]);
    let (compiled, problems) = compile(&all.resolve(&whole_chain()).enforced);
    assert_eq!(problems, []);
    compiled
}
