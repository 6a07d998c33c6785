//! Locks over the API.

use serde_json::json;

use crate::support::node;

#[tokio::test]
async fn a_lock_has_one_holder_and_its_token_grows() {
    let node = node().await;
    let one = node
        .post("locks/leader/acquire", r#"{"owner": "one", "ttl": "30s"}"#)
        .await
        .json();
    assert_eq!((&one["owner"], &one["ttl"]), (&json!("one"), &json!("30s")));
    let held = node
        .post("locks/leader/acquire", r#"{"owner": "two"}"#)
        .await;
    assert_eq!(held.problem(), "409 lock-held");
    assert!(held.json()["detail"].as_str().unwrap().contains("one"));
    let token = one["token"].as_u64().unwrap();
    let renewed = node
        .post("locks/leader/renew", &json!({"token": token}).to_string())
        .await;
    assert_eq!(renewed.json()["token"], token);
    assert_eq!(
        node.post("locks/leader/renew", r#"{"token": 1}"#)
            .await
            .problem(),
        "409 lock-lost"
    );

    let (two, released) = tokio::join!(
        node.post("locks/leader/acquire", r#"{"owner": "two", "wait": "20s"}"#),
        async {
            node.post("locks/leader/release", &json!({"token": token}).to_string())
                .await
        }
    );
    assert_eq!(released.status, 204);
    assert_eq!(two.json()["owner"], "two", "{two:?}");
    assert!(
        two.json()["token"].as_u64().unwrap() > token,
        "a later holder has a greater token"
    );
    assert_eq!(
        node.post("locks/leader/release", &json!({"token": token}).to_string())
            .await
            .problem(),
        "409 lock-lost"
    );
    for (path, body) in [
        ("acquire", "{}"),
        ("acquire", r#"{"owner": "x", "tll": "1s"}"#),
        ("renew", "{}"),
    ] {
        assert_eq!(
            node.post(&format!("locks/leader/{path}"), body)
                .await
                .problem(),
            "422 invalid-document",
            "{path} {body}"
        );
    }
    node.platform.stop().await;
}
