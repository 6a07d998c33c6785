//! Documents: written, read, listed, deleted, each with the headers that go with it.

use http::StatusCode;
use serde_json::json;

use crate::support::{node, node_with};

#[tokio::test]
async fn a_document_of_every_kind_lives_and_dies() {
    let node = node().await;
    for (path, spec) in [
        ("services/a", json!({"owner": "me"})),
        ("services/a/versions/1.0", json!({"dependencies": ["b"]})),
        ("services/a/instances/i:1", json!({"host": "h", "port": 1})),
        ("locks/l", json!({"ttl": "5s"})),
        (
            "gateways/g",
            json!({"gatewayClassName": "guildhall", "listeners": [{"name": "l", "port": 80, "protocol": "HTTP"}]}),
        ),
        (
            "httproutes/r",
            json!({"rules": [{"backendRefs": [{"name": "a", "port": 1}]}]}),
        ),
        (
            "policies/p",
            json!({"targetRefs": [{"kind": "Service", "name": "a"}], "retry": {"attempts": 1}}),
        ),
    ] {
        let body = json!({"spec": spec}).to_string();
        let created = node.put(path, &body).await;
        assert_eq!(created.status, StatusCode::CREATED, "{path}: {created:?}");
        let index = created.header("guildhall-index").to_owned();
        let (etag, revision) = (
            created.header("etag").to_owned(),
            created.json()["metadata"]["revision"].clone(),
        );
        assert_eq!(etag, format!("\"{revision}\""));
        assert!(index.ends_with(&format!(".{revision}")), "{index}");

        let again = node.put(path, &body).await;
        assert_eq!(
            (again.status, again.header("etag")),
            (StatusCode::OK, &*etag),
            "{path}: the same is no change"
        );

        let read = node.get(&format!("{path}?minIndex={index}")).await;
        assert_eq!(
            (read.status, read.header("etag")),
            (StatusCode::OK, &*etag),
            "{path}"
        );
        assert_eq!(read.json()["metadata"]["updatedBy"], "anonymous");
        assert_eq!(read.json()["apiVersion"], "guildhall/v1");

        let known = node
            .send("GET", path, &[("if-none-match", &etag)], "")
            .await;
        assert_eq!(
            (known.status, known.body.len()),
            (StatusCode::NOT_MODIFIED, 0),
            "{path}"
        );

        let deleted = node.delete(path).await;
        assert_eq!(
            deleted.status,
            StatusCode::NO_CONTENT,
            "{path}: {deleted:?}"
        );
        let index = deleted.header("guildhall-index").to_owned();
        let gone = node.get(&format!("{path}?minIndex={index}")).await;
        assert_eq!(gone.problem(), "404 not-found", "{path}");
        node.put("services/a", r#"{"spec": {}}"#).await;
    }
    node.platform.stop().await;
}

#[tokio::test]
async fn writes_can_depend_on_what_is_there() {
    let node = node().await;
    let body = r#"{"spec": {"owner": "me"}}"#;
    let other = r#"{"spec": {"owner": "you"}}"#;
    let first = node
        .send("PUT", "services/a", &[("if-none-match", "*")], body)
        .await;
    assert_eq!(first.status, StatusCode::CREATED);
    let etag = first.header("etag").to_owned();
    for (header, value, expect) in [
        ("if-none-match", "*", "412 precondition-failed"),
        ("if-match", "\"999999\"", "412 precondition-failed"),
        ("if-match", "999999", "400 bad-request"),
        ("if-none-match", &*etag, "400 bad-request"),
    ] {
        let answer = node
            .send("PUT", "services/a", &[(header, value)], other)
            .await;
        assert_eq!(answer.problem(), expect, "{header}: {value}");
    }
    let both = node
        .send(
            "PUT",
            "services/a",
            &[("if-match", &etag), ("if-none-match", "*")],
            other,
        )
        .await;
    assert_eq!(both.problem(), "400 bad-request");
    let second = node
        .send("PUT", "services/a", &[("if-match", &etag)], other)
        .await;
    assert_eq!(second.status, StatusCode::OK);
    let stale = node
        .send("DELETE", "services/a", &[("if-match", &etag)], "")
        .await;
    assert_eq!(stale.problem(), "412 precondition-failed");
    let present = node
        .send(
            "DELETE",
            "services/a",
            &[("if-match", second.header("etag"))],
            "",
        )
        .await;
    assert_eq!(present.status, StatusCode::NO_CONTENT);
    node.platform.stop().await;
}

#[tokio::test]
async fn a_dry_run_checks_and_writes_nothing() {
    let node = node().await;
    let body = r#"{"spec": {"owner": "me"}}"#;
    let shown = node.put("services/a?dryRun=true", body).await;
    assert_eq!(shown.status, StatusCode::CREATED);
    assert_eq!(shown.json()["spec"]["owner"], "me");
    assert!(
        shown.headers.get("guildhall-index").is_none(),
        "nothing was written"
    );
    assert_eq!(node.get("services/a").await.problem(), "404 not-found");
    assert_eq!(
        node.put("services/a?dryRun", r#"{"spec": {"ownr": 1}}"#)
            .await
            .problem(),
        "422 invalid-document"
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn yaml_and_kubernetes_documents_are_taken_as_they_are() {
    let node = node().await;
    let yaml = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: r\n  uid: 1-2-3\n  resourceVersion: '7'\nspec:\n  hostnames: [a.test]\nstatus: {}\n";
    let written = node
        .send(
            "PUT",
            "httproutes/r",
            &[("content-type", "application/yaml; charset=utf-8")],
            yaml,
        )
        .await;
    assert_eq!(written.status, StatusCode::CREATED, "{written:?}");
    let warnings: Vec<&str> = written
        .headers
        .get_all("guildhall-warning")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(
        warnings
            .iter()
            .any(|warning| warning.contains("metadata.uid")),
        "{warnings:?}"
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn names_are_made_up_where_none_is_given() {
    let node = node().await;
    let made = node.post("httproutes", r#"{"spec": {}}"#).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let name = made.json()["metadata"]["name"].as_str().unwrap().to_owned();
    assert_eq!(name.len(), 12);
    assert_eq!(
        node.get(&format!(
            "httproutes/{name}?minIndex={}",
            made.header("guildhall-index")
        ))
        .await
        .status,
        200
    );
    let instance = r#"{"spec": {"host": "h", "port": 1}}"#;
    let (one, two) = (
        node.post("services/a/instances", instance).await,
        node.post("services/a/instances", instance).await,
    );
    assert_ne!(
        one.json()["metadata"]["name"],
        two.json()["metadata"]["name"]
    );
    assert_eq!(two.json()["spec"]["service"], "a");
    node.platform.stop().await;
}

#[tokio::test]
async fn lists_select_and_come_in_pages_of_one_revision() {
    let node = node().await;
    let mut last = String::new();
    for (n, team) in ["shop", "bank", "shop", "shop", "bank"].iter().enumerate() {
        let body = json!({"metadata": {"labels": {"team": team}}, "spec": {}}).to_string();
        last = node
            .put(&format!("services/s{n}"), &body)
            .await
            .header("guildhall-index")
            .to_owned();
    }
    let other = node
        .put("namespaces/other/services/s9", r#"{"spec": {}}"#)
        .await;
    let names = |list: &serde_json::Value| -> Vec<String> {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let list = node
        .get(&format!(
            "services?labelSelector=team%3Dshop&minIndex={last}"
        ))
        .await;
    assert_eq!(names(&list.json()), ["s0", "s2", "s3"]);

    let first = node.get("services?limit=2").await.json();
    assert_eq!(names(&first), ["s0", "s1"]);
    // What is written between two pages is not in the second.
    let late = node.put("services/s10", r#"{"spec": {}}"#).await;
    let next = first["metadata"]["continue"]
        .as_str()
        .unwrap()
        .replace('/', "%2F");
    let second = node
        .get(&format!(
            "services?limit=9&continue={next}&minIndex={}",
            late.header("guildhall-index")
        ))
        .await
        .json();
    assert_eq!(names(&second), ["s2", "s3", "s4"]);
    assert_eq!(
        first["metadata"]["revision"],
        second["metadata"]["revision"]
    );
    assert!(second["metadata"].get("continue").is_none());

    let all = node
        .get(&format!(
            "namespaces/-/services?minIndex={}",
            other.header("guildhall-index")
        ))
        .await;
    assert_eq!(names(&all.json()).len(), 7);
    assert_eq!(
        node.get("services?continue=1.1%2Fdefault%2Fs0")
            .await
            .problem(),
        "410 continue-expired"
    );
    assert_eq!(
        node.get("services?continue=nonsense").await.problem(),
        "400 bad-request"
    );
    node.platform.stop().await;
}

#[tokio::test]
async fn an_index_that_is_not_reached_is_not_waited_for_for_ever() {
    let node = node_with(|builder| {
        builder.configure(|settings| settings.api.index_wait = "10ms".parse().unwrap())
    })
    .await;
    let written = node.put("services/a", r#"{"spec": {}}"#).await;
    let (incarnation, revision) = written.header("guildhall-index").split_once('.').unwrap();
    let far = format!(
        "services/a?minIndex={incarnation}.{}",
        revision.parse::<u64>().unwrap() + 100
    );
    assert_eq!(node.get(&far).await.problem(), "504 index-not-reached");
    // An index of another history cannot be waited for, and means that the reader should see what there is.
    assert_eq!(
        node.get("services/a?minIndex=1.5").await.status,
        StatusCode::OK
    );
    node.platform.stop().await;
}
