//! What a service's policy makes of a new contract.

use guildhall_core::{
    document::{Body, Kind, Namespace, ServiceName, VersionName},
    registry::{
        ContractPolicy, ServiceVersion, VersionStatus,
        contract::{consumers, review},
        graph,
    },
};
use serde_json::{Value, json};

use crate::fixture::{catalog, instance, service, version};

fn contract(kind: &str) -> Value {
    json!({"contract": {"format": "jsonSchema", "document": {"type": kind}}})
}

fn register(policy: Value, name: &str, kind: &str) -> Result<VersionStatus, String> {
    let catalog = catalog([
        service("users", json!({"contractPolicy": policy})),
        version("users", "1", contract("string")),
        version("users", "2", contract("integer")),
        version("users", "3", json!({})),
        instance("users", "a", json!({"version": "1"})),
        instance("users", "b", json!({"version": "3"})),
        version("orders", "1", json!({"dependencies": ["users"]})),
        version(
            "mail",
            "1",
            json!({"dependencies": [{"service": "users", "optional": true}]}),
        ),
    ]);
    let namespace = Namespace::default();
    let consumers = consumers(&graph(&catalog, &namespace), "users");
    let entry = catalog.service(&namespace, "users").unwrap();
    let new: ServiceVersion = serde_json::from_value(contract(kind)).unwrap();
    let name: VersionName = name.parse().unwrap();
    review(entry, &name, &new, consumers).map_err(|refused| refused.to_string())
}

fn names(status: &VersionStatus) -> (usize, String, String) {
    let versions: Vec<_> = status
        .compared_with
        .iter()
        .map(VersionName::as_str)
        .collect();
    let consumers: Vec<_> = status.consumers.iter().map(ServiceName::as_str).collect();
    (
        status.breaking.len(),
        versions.join(" "),
        consumers.join(" "),
    )
}

#[test]
fn a_breaking_contract_is_recorded_with_who_is_concerned() {
    let status = register(json!("Record"), "4", "boolean").unwrap();
    assert_eq!(
        names(&status),
        (2, "1".into(), "mail orders".into()),
        "only the live versions count"
    );
    let json = serde_json::to_value(&status).unwrap();
    assert_eq!(json["comparedWith"], json!(["1"]));
    assert_eq!(json["breaking"][0]["kind"], "typeNarrowed");
    assert_eq!(
        serde_json::from_value::<VersionStatus>(json).unwrap(),
        status
    );
}

#[test]
fn it_is_refused_where_the_policy_says_so() {
    let why = register(json!("Refuse"), "4", "boolean").unwrap_err();
    assert_eq!(
        why,
        "the contract breaks what the live version 1 promises: was string, is now boolean (and 1 more); concerned: \
         mail, orders; keep the old contract beside the new one, or set the service's contractPolicy to Record"
    );
    assert_eq!(
        register(json!("Ignore"), "4", "boolean"),
        Ok(VersionStatus::default())
    );
}

#[test]
fn one_that_keeps_its_promises_is_taken() {
    let status = register(json!("Refuse"), "4", "string").unwrap();
    assert_eq!(names(&status), (0, "1".into(), String::new()));
    assert_eq!(
        register(json!("Refuse"), "1", "string"),
        Ok(VersionStatus::default()),
        "the same once more"
    );
    assert!(
        register(json!("Refuse"), "1", "null").is_err(),
        "its own former contract is live"
    );
}

#[test]
fn the_default_is_to_record() {
    assert_eq!(ContractPolicy::default(), ContractPolicy::Record);
}

fn problems(spec: Value) -> String {
    let body = json!({"spec": spec}).to_string();
    let body = Body::parse(&body).unwrap();
    let document = body.into_document(
        Kind::ServiceVersion,
        Some(&Namespace::default()),
        Some("users/1"),
    );
    document.map_or_else(|problems| problems.to_string(), |_| String::new())
}

#[test]
fn what_is_no_contract_or_no_dependency_is_refused_where_it_stands() {
    for (spec, expect) in [
        (contract("string"), ""),
        (
            json!({"contract": {"format": "openapi", "document": {"swagger": "2.0", "paths": []}}}),
            "/spec/contract/document/openapi: an OpenAPI document of version 3.0 or 3.1 is needed; \
             /spec/contract/document/paths: an object with one entry per path",
        ),
        (
            json!({"contract": {"format": "jsonSchema", "document": 1}}),
            "/spec/contract/document: a JSON Schema is an object or a boolean",
        ),
        (
            json!({"dependencies": ["a", {"service": "b", "optinal": true}]}),
            r#"/spec/dependencies/1/optinal: unknown field "optinal"; did you mean "optional"?"#,
        ),
        (
            json!({"dependencies": ["a", "a"]}),
            "/spec/dependencies/1: a stands here twice",
        ),
    ] {
        assert_eq!(problems(spec), expect);
    }
    assert!(problems(json!({"dependencies": [1]})).contains("the name of a service, or an object"));
}
