//! Policies through the API: written, judged beside the others, merged, and told to watchers.

use guildhall_api::{
    client::{Client, ClientOptions, WayQuery},
    wire::EffectivePolicy,
};
use guildhall_core::document::Namespace;
use guildhall_server::{Platform, settings::Role};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    cli::{command, done},
    support::{Node, node},
};

async fn put(node: &Node, name: &str, spec: Value) -> Value {
    let body = json!({ "spec": spec }).to_string();
    let answer = node.put(&format!("policies/{name}"), &body).await;
    assert!(answer.status.is_success(), "{name}: {answer:?}");
    answer.json()
}

/// `Type=Status Reason` of the first target's conditions.
fn conditions(policy: &Value) -> Vec<String> {
    let conditions = policy["status"]["ancestors"][0]["conditions"].as_array();
    let line = |condition: &Value| {
        let word = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        format!("{}={} {}", word("type"), word("status"), word("reason"))
    };
    conditions.into_iter().flatten().map(line).collect()
}

async fn shown(node: &Node, name: &str) -> Vec<String> {
    let index = node
        .get("policies")
        .await
        .header("guildhall-index")
        .to_owned();
    let read = node.get(&format!("policies/{name}?minIndex={index}")).await;
    conditions(&read.json())
}

fn users() -> Value {
    json!([{"kind": "Service", "name": "users"}])
}

const ACCEPTED: &str = "Accepted=True Accepted";

#[tokio::test]
async fn a_status_follows_what_there_is_and_what_others_say() {
    let node = node().await;
    let first = json!({"targetRefs": users(), "retry": {"attempts": 1}});
    let old = put(&node, "old", first.clone()).await;
    assert_eq!(
        conditions(&old),
        ["Accepted=False TargetNotFound"],
        "told at once"
    );
    let mut events = node.stream("policies?watch=true", &[]).await;
    assert_eq!(events.next().await.unwrap().name, "added");

    // The target comes; the policy itself was not touched.
    node.put("services/users", r#"{"spec": {}}"#).await;
    let told = loop {
        let event = events.next().await.unwrap();
        if event.name == "modified" {
            break event;
        }
    };
    let told = told.data;
    assert_eq!(conditions(&told), [ACCEPTED]);
    assert_eq!(told["metadata"]["revision"], old["metadata"]["revision"]);
    assert_eq!(shown(&node, "old").await, [ACCEPTED]);

    // A younger one says something else of the same.
    let second = json!({"targetRefs": users(), "retry": {"attempts": 2}});
    let dry = node
        .put(
            "policies/young?dryRun=true",
            &json!({"spec": second}).to_string(),
        )
        .await;
    assert_eq!(
        conditions(&dry.json()),
        [ACCEPTED, "Conflicted=True Conflicted"],
        "foreseen"
    );
    let young = put(&node, "young", second).await;
    assert_eq!(conditions(&young), [ACCEPTED, "Conflicted=True Conflicted"]);
    let message = young["status"]["ancestors"][0]["conditions"][1]["message"]
        .as_str()
        .unwrap();
    assert!(
        message.starts_with("retry.attempts: policy default/old (revision "),
        "{message}"
    );

    // The older one goes, and the younger has nobody against it.
    node.delete("policies/old").await;
    assert_eq!(shown(&node, "young").await, [ACCEPTED]);

    // Two of different targets contradict each other.
    put(
        &node,
        "most",
        json!({"targetRefs": users(), "adaptiveConcurrency": {"maxConcurrency": 5}}),
    )
    .await;
    let everywhere = json!([{"kind": "Namespace", "name": "default"}]);
    put(
        &node,
        "least",
        json!({"targetRefs": everywhere, "adaptiveConcurrency": {"minConcurrency": 10}}),
    )
    .await;
    let read = node.get("policies/effective?service=users").await.json();
    assert_eq!(
        read["problems"][0]["section"], "adaptiveConcurrency",
        "{read}"
    );

    // A route's rule, and what is not there to be had.
    put(&node, "rule", json!({
        "targetRefs": [{"kind": "HTTPRoute", "name": "shop", "sectionName": "checkout"}], "timeouts": {"request": "1s"},
    })).await;
    let route = |rule: &str| json!({"spec": {"rules": [{"name": rule}]}}).to_string();
    node.put("httproutes/shop", &route("browse")).await;
    assert_eq!(
        shown(&node, "rule").await,
        ["Accepted=False TargetNotFound"]
    );
    node.put("httproutes/shop", &route("checkout")).await;
    assert_eq!(shown(&node, "rule").await, [ACCEPTED]);
    node.delete("httproutes/shop").await;
    assert_eq!(
        shown(&node, "rule").await,
        ["Accepted=False TargetNotFound"]
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn a_status_is_there_after_a_restart() {
    let node = node().await;
    node.put("services/users", r#"{"spec": {}}"#).await;
    put(
        &node,
        "old",
        json!({"targetRefs": users(), "retry": {"attempts": 1}}),
    )
    .await;
    put(
        &node,
        "young",
        json!({"targetRefs": users(), "retry": {"attempts": 2}}),
    )
    .await;
    let before = shown(&node, "young").await;
    node.platform.stop().await;
    let platform = Platform::builder()
        .data_dir(node.folder.path())
        .roles([Role::Control]);
    let node = Node {
        platform: platform.start().await.unwrap(),
        folder: node.folder,
    };
    assert_eq!(shown(&node, "young").await, before);
    assert_eq!(before, [ACCEPTED, "Conflicted=True Conflicted"]);
    node.platform.stop().await;
}

#[tokio::test]
async fn the_effective_policy_names_the_origin_of_each_field() {
    let node = node().await;
    let everywhere = json!([{"kind": "Namespace", "name": "default"}]);
    put(&node, "broad", json!({
        "targetRefs": everywhere, "retry": {"attempts": 3, "maxRetryAfter": "9s"}, "bulkhead": {},
    })).await;
    put(
        &node,
        "near",
        json!({"targetRefs": users(), "retry": {"attempts": 1}}),
    )
    .await;
    put(
        &node,
        "route",
        json!({
            "targetRefs": [{"kind": "HTTPRoute", "name": "shop"}], "timeouts": {"request": "2s"},
        }),
    )
    .await;
    put(
        &node,
        "tried",
        json!({"targetRefs": users(), "mode": "DryRun", "bulkhead": {"maxConcurrentCalls": 5}}),
    )
    .await;

    let read = node
        .get("policies/effective?service=users&route=shop")
        .await;
    assert_eq!(read.status, StatusCode::OK, "{read:?}");
    let raw = read.json();
    assert_eq!(
        raw["enforced"]["retry"],
        json!({"attempts": 1, "maxRetryAfter": "9s"})
    );
    let found: EffectivePolicy = serde_json::from_value(raw.clone()).unwrap();
    assert_eq!(
        serde_json::to_value(&found).unwrap(),
        raw,
        "clients read all of it"
    );
    let origin = |field: &str| found.enforced.origins[field].source.policy.clone();
    assert_eq!(origin("retry"), "near");
    assert_eq!(origin("retry.attempts"), "near");
    assert_eq!(origin("retry.maxRetryAfter"), "broad");
    assert_eq!(origin("timeouts.request"), "route");
    assert_eq!(
        found.enforced.origins["retry.attempts"].over[0].policy,
        "broad"
    );
    let tried = found.dry_run.unwrap();
    assert!(tried.origins["bulkhead.maxConcurrentCalls"].source.dry_run);
    assert!(
        !found
            .enforced
            .origins
            .contains_key("bulkhead.maxConcurrentCalls")
    );
    let targets: Vec<String> = found.targets.iter().map(ToString::to_string).collect();
    assert_eq!(
        targets,
        ["HTTPRoute shop", "Service users", "Namespace default"]
    );

    // A long poll wakes when a policy changes.
    let index = read.header("guildhall-index").to_owned();
    let path = format!("policies/effective?service=users&index={index}&wait=20s");
    let (changed, _) = tokio::join!(
        node.get(&path),
        put(
            &node,
            "near",
            json!({"targetRefs": users(), "retry": {"attempts": 4}})
        )
    );
    assert_eq!(changed.json()["enforced"]["retry"]["attempts"], 4);

    let client = Client::new(ClientOptions::new([node.url()])).unwrap();
    let found = client
        .effective_policy(&Namespace::default(), &WayQuery::to_service("users"))
        .await
        .unwrap();
    assert!(
        !found.enforced.origins.contains_key("timeouts.request"),
        "no route"
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn the_command_line_shows_whose_word_each_field_is() {
    let node = node().await;
    node.put("services/users", r#"{"spec": {}}"#).await;
    put(
        &node,
        "near",
        json!({"targetRefs": users(), "retry": {"attempts": 1}, "bulkhead": {}}),
    )
    .await;
    put(
        &node,
        "later",
        json!({"targetRefs": users(), "retry": {"attempts": 2}}),
    )
    .await;
    put(
        &node,
        "tried",
        json!({"targetRefs": users(), "mode": "DryRun", "timeouts": {"request": "1s"}}),
    )
    .await;
    let effective = ["policy", "effective", "--service", "users"];
    let shown = done(&mut command(&node, &effective)).await;
    assert_eq!(shown.code, 0, "{}", shown.error);
    let words: Vec<Vec<&str>> = shown
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let revision = |name: &'static str| {
        let path = format!("policies/{name}");
        let node = &node;
        async move {
            format!(
                "{name}@{}",
                node.get(&path).await.json()["metadata"]["revision"]
            )
        }
    };
    let (near, later, tried) = (
        revision("near").await,
        revision("later").await,
        revision("tried").await,
    );
    assert_eq!(words[0], ["FIELD", "VALUE", "POLICY", "TARGET", "OVER"]);
    assert_eq!(words[1], ["bulkhead", "{}", &near, "Service", "users"]);
    assert_eq!(
        words[2],
        ["retry.attempts", "1", &near, "Service", "users", &later]
    );
    assert_eq!(
        words[3],
        [
            "timeouts.request",
            "(tried)",
            "\"1s\"",
            &tried,
            "Service",
            "users"
        ]
    );

    let listed = done(&mut command(&node, &["get", "policies"])).await.out;
    assert!(
        listed.contains("retry on Service users (Conflicted)"),
        "{listed}"
    );
    assert!(
        listed.contains("tried: timeouts on Service users"),
        "{listed}"
    );
    let usage = done(&mut command(&node, &["policy", "effective", "--rule", "r"])).await;
    assert_eq!(usage.code, 2, "{}", usage.error);
    let exported = done(&mut command(&node, &["export"])).await.out;
    assert!(exported.contains("kind: Policy"), "{exported}");
    node.platform.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_policy_or_a_question_is_said() {
    let node = node().await;
    let wrong = json!({"spec": {"targetRefs": users(), "retry": {"atempts": 1}, "rateLimit": {"rules": [{
        "name": "a", "requests": 0, "period": "1s"}]}}});
    let refused = node.put("policies/p", &wrong.to_string()).await;
    assert_eq!(refused.problem(), "422 invalid-document", "{refused:?}");
    let limits =
        json!({"spec": {"targetRefs": [{"kind": "HTTPRoute", "name": "r"}], "bulkhead": {}}});
    let refused = node.put("policies/p", &limits.to_string()).await.json();
    assert_eq!(refused["errors"][0]["pointer"], "/spec/bulkhead");
    let body =
        json!({"metadata": {"name": "effective"}, "spec": {"targetRefs": users()}}).to_string();
    let refused = node.post("policies", &body).await;
    assert!(refused.status.is_client_error(), "{refused:?}");
    assert_eq!(
        node.put("policies/effective", &body).await.problem(),
        "405 method-not-allowed"
    );

    for (query, expect) in [
        ("", "name what the requests pass"),
        ("?rule=checkout", "say of which route, too"),
        ("?gateway=&listener=l", "say of which gateway, too"),
    ] {
        let refused = node.get(&format!("policies/effective{query}")).await;
        assert_eq!(refused.problem(), "400 bad-request");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(expect), "{query}: {detail}");
    }
    let all = node.get("namespaces/-/policies/effective?service=a").await;
    assert_eq!(all.problem(), "400 bad-request");
    node.platform.stop().await;
}
