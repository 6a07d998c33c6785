//! Policies that a newer version wrote: what is known of them is in force.

use guildhall_core::document::{Document, Kind};
use serde_json::{Value, json};

use super::{GET, Moody, shown, under};
use crate::support::Fixture;

/// A policy as a control plane tells it, whatever its version.
fn told(name: &str, sections: &Value) -> Document {
    let mut spec = json!({"targetRefs": [{"kind": "Service", "name": "svc", "nextField": 1}], "nextSection": {"a": 1}});
    let fields = spec.as_object_mut().unwrap();
    fields.extend(sections.as_object().unwrap().clone());
    let metadata = json!({
        "name": name, "namespace": "default", "revision": 3, "nextField": true,
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
    });
    let json =
        json!({"apiVersion": "guildhall/v1", "kind": "Policy", "metadata": metadata, "spec": spec});
    Document::from_api(Kind::Policy, &json.to_string()).unwrap()
}

async fn limited(fixture: &Fixture) -> bool {
    let mut client = fixture.client().await;
    for _ in 0..3 {
        let answer = client.ask(GET).await;
        if shown(&answer) == (429, "rate_limited") {
            return true;
        }
        assert_eq!(answer.status, 200);
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_fields_are_passed_over_and_an_unknown_mode_does_nothing() {
    let moody = Moody::named("svc").await;
    let rule = json!({"name": "one", "requests": 1, "period": "1h", "nextField": {"deep": [1]}});
    let section = json!({"rateLimit": {"rules": [rule], "nextField": 1}});
    let fixture = under(&[&moody.backend], vec![told("calm", &section)]).await;
    assert!(limited(&fixture).await, "the rest of it is in force");

    // An algorithm that is not known leaves the default; a key that is not known would count all as one.
    let by_default = json!({"name": "one", "requests": 1, "period": "1h", "algorithm": "Fair"});
    let by_tenant =
        json!({"name": "two", "requests": 1, "period": "1h", "key": {"type": "Tenant"}});
    for (rule, expected) in [(by_default, true), (by_tenant, false)] {
        let section = json!({"rateLimit": {"rules": [rule]}});
        let fixture = under(&[&moody.backend], vec![told("calm", &section)]).await;
        assert_eq!(limited(&fixture).await, expected, "{section}");
    }
    let mut section = section;
    section["mode"] = json!("Canary");
    let fixture = under(&[&moody.backend], vec![told("calm", &section)]).await;
    assert!(!limited(&fixture).await, "what it would do is not known");
}
