//! Orders to breakers, from the command line to a gateway and back.

use std::{net::SocketAddr, time::Duration};

use guildhall_server::Platform;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{
    cli::{command_at, done},
    gateway::{answered, backend, publish},
    support::{send, until},
};

/// Runs a command, which must end with `code`; what it says on either side.
async fn run(url: &str, arguments: &[&str], code: i32) -> String {
    let done = done(&mut command_at(url, arguments)).await;
    assert_eq!(done.code, code, "{}{}", done.out, done.error);
    done.out + &done.error
}

/// The breakers that gateways report for calls to `hello`: state and why.
async fn shown(api: SocketAddr) -> Vec<(String, String)> {
    let path = "breakers?caller=gateway&service=hello";
    let rows = send(api, "GET", path, &[], "").await.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row = |row: &Value| (text(&row["state"]), text(&row["order"]));
    rows["items"].as_array().unwrap().iter().map(row).collect()
}

/// Waits until the gateway answers so, within a second.
async fn soon(gateway: SocketAddr, status: StatusCode) -> crate::support::Answer {
    let answered = async {
        loop {
            let answer = send(gateway, "GET", "/hello", &[], "").await;
            if answer.status == status {
                return answer;
            }
        }
    };
    timeout(Duration::from_secs(1), answered)
        .await
        .unwrap_or_else(|_| panic!("{status} within a second"))
}

#[tokio::test]
async fn an_order_reaches_gateways_within_a_second_is_seen_and_ends_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let platform = Platform::builder()
        .data_dir(folder.path())
        .configure(|settings| settings.gateway.workers = 1)
        .start()
        .await
        .unwrap();
    let (api, gateway) = (
        platform.addresses().api.unwrap(),
        platform.addresses().gateway.unwrap(),
    );
    let url = format!("http://{api}");
    publish(api, backend("hello").await).await;
    answered(gateway).await;
    assert_eq!(shown(api).await, [], "no policy, no breaker");

    let order = [
        "breakers", "force", "hello", "--for", "3s", "--reason", "a move",
    ];
    let said = run(&url, &order, 0).await;
    assert!(said.contains("FORCED_OPEN until"), "{said}");
    let refused = soon(gateway, StatusCode::SERVICE_UNAVAILABLE).await;
    let problem = refused.json();
    assert_eq!(problem["policy"]["name"], "operator-hello", "{problem}");
    let forced = [("FORCED_OPEN".to_owned(), "a move".to_owned())];
    let seen = async { while shown(api).await != forced {} };
    timeout(Duration::from_secs(1), seen).await.unwrap();
    let table = run(&url, &["breakers"], 0).await;
    assert!(
        table.contains("FORCED_OPEN") && table.contains("a move"),
        "{table}"
    );

    // It ends by itself, and the document that is left does nothing.
    until("the order's end", async || {
        let answer = send(gateway, "GET", "/hello", &[], "").await;
        (answer.status == StatusCode::OK).then_some(())
    })
    .await;
    until("the end to be seen", async || {
        (shown(api).await == [("CLOSED".to_owned(), String::new())]).then_some(())
    })
    .await;
    let policy = send(api, "GET", "policies/operator-hello", &[], "").await;
    assert_eq!(
        policy.json()["spec"]["circuitBreaker"]["force"]["reason"],
        "a move"
    );

    // Given again, and taken back.
    run(&url, &order, 0).await;
    soon(gateway, StatusCode::SERVICE_UNAVAILABLE).await;
    let said = run(&url, &["breakers", "release", "hello"], 0).await;
    assert!(said.contains("is gone"), "{said}");
    soon(gateway, StatusCode::OK).await;
    let policy = send(api, "GET", "policies/operator-hello", &[], "").await;
    assert_eq!(policy.problem(), "404 not-found");
    platform.stop().await;
}

#[tokio::test]
async fn a_document_that_is_somebody_elses_is_left_alone() {
    let node = crate::support::node().await;
    let spec = json!({"spec": {
        "targetRefs": [{"kind": "Service", "name": "stock"}],
        "retry": {"attempts": 1},
    }});
    node.put("policies/operator-hello", &spec.to_string()).await;
    let order = [
        "breakers", "disable", "hello", "--for", "5m", "--reason", "r",
    ];
    let said = run(&node.url(), &order, 4).await;
    assert!(said.contains("is for Service stock"), "{said}");
    for wrong in [
        ["breakers", "force", "hello", "--for", "0s", "--reason", "r"],
        ["breakers", "force", "hello", "--for", "5m", "--reason", " "],
    ] {
        run(&node.url(), &wrong, 2).await;
    }
    node.platform.stop().await;
}
