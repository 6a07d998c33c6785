//! The gateway role: beside the control role, and on a node of its own that outlives the control node.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use guildhall_server::{
    Platform,
    settings::{Role, Secret},
};
use guildhall_testkit::redis::Redis;
use http::StatusCode;
use serde_json::json;
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener};

use crate::support::{Answer, send, until};

/// A backend that answers every request with `word`, one connection at a time each.
pub(crate) async fn backend(word: &'static str) -> SocketAddr {
    moody(word, Arc::default()).await
}

/// The same, failing as long as it is told to.
pub(crate) async fn moody(word: &'static str, fails: Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let fails = Arc::clone(&fails);
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                while stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                    let status = match fails.load(Ordering::SeqCst) {
                        true => "500 Internal Server Error",
                        false => "200 OK",
                    };
                    let answer = format!(
                        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{word}",
                        word.len()
                    );
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Registers the backend and a route to it.
pub(crate) async fn publish(api: SocketAddr, at: SocketAddr) {
    let instance = json!({"spec": {"host": at.ip(), "port": at.port()}}).to_string();
    let rule = json!({"matches": [{"path": {"type": "PathPrefix", "value": "/hello"}}], "backendRefs": [{"name": "hello"}]});
    let route = json!({"spec": {"rules": [rule]}}).to_string();
    for (path, body) in [
        ("services/hello/instances/h1", instance),
        ("httproutes/hello", route),
    ] {
        let answer = send(
            api,
            "PUT",
            path,
            &[("content-type", "application/json")],
            &body,
        )
        .await;
        assert!(answer.status.is_success(), "{answer:?}");
    }
}

pub(crate) async fn answered(gateway: SocketAddr) -> Answer {
    until("the route", async || {
        let answer = send(gateway, "GET", "/hello", &[], "").await;
        (answer.status == StatusCode::OK).then_some(answer)
    })
    .await
}

pub(crate) async fn control_node(folder: &Path) -> Platform {
    Platform::builder()
        .data_dir(folder)
        .roles([Role::Control])
        .start()
        .await
        .unwrap()
}

pub(crate) async fn gateway_node(folder: &Path, control: &str) -> Platform {
    Platform::builder()
        .data_dir(folder)
        .roles([Role::Gateway])
        .control([control])
        .configure(|settings| settings.gateway.workers = 1)
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn both_roles_live_in_one_process() {
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
    publish(api, backend("hello").await).await;
    assert_eq!(answered(gateway).await.body, "hello");
    until("readiness", async || {
        (send(api, "GET", "/readyz", &[], "").await.status == 200).then_some(())
    })
    .await;
    let status = platform.status();
    let roles: Vec<&str> = status.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(roles, ["control", "gateway"]);
    assert_eq!(status.roles[1].addresses, [gateway.to_string()]);
    let metrics = send(api, "GET", "/metrics", &[], "").await;
    assert!(String::from_utf8_lossy(&metrics.body).contains("guildhall_gateway_requests_total"));
    platform.stop().await;
}

#[tokio::test]
async fn who_counts_exact_limits_is_told_in_status_and_metrics() {
    let mut redis = Redis::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let start = async |redis: Option<&Redis>| {
        let url = redis.map(|redis| Secret::new(redis.url()));
        let platform = Platform::builder()
            .data_dir(folder.path())
            .configure(move |settings| {
                settings.gateway.workers = 1;
                settings.rate_limit.redis_url = url;
            })
            .start();
        platform.await.unwrap()
    };
    let detail = async |platform: &Platform, words: &str| {
        until(words, async || {
            let role = platform.status().roles.remove(1);
            (role.detail.contains(words) && role.healthy == role.detail.is_empty()).then_some(())
        })
        .await;
    };

    let platform = start(None).await;
    let api = platform.addresses().api.unwrap();
    publish(api, backend("hello").await).await;
    answered(platform.addresses().gateway.unwrap()).await;
    detail(&platform, "").await;
    let rule = json!({"name": "all", "requests": 100, "period": "1h", "scope": "Exact"});
    let spec = json!({"targetRefs": [{"kind": "Service", "name": "hello"}], "rateLimit": {"rules": [rule]}});
    let body = json!({ "spec": spec }).to_string();
    let json = [("content-type", "application/json")];
    let put = send(api, "PUT", "policies/calm", &json, &body).await;
    assert!(put.status.is_success(), "{put:?}");
    detail(
        &platform,
        "counts rate limits of scope Exact (1) for itself: rate_limit.redis_url is not set",
    )
    .await;
    assert_eq!(send(api, "GET", "/readyz", &[], "").await.status, 200);
    platform.stop().await;

    let platform = start(Some(&redis)).await;
    let api = platform.addresses().api.unwrap();
    let gateway = platform.addresses().gateway.unwrap();
    until("Redis counts", async || {
        answered(gateway).await;
        let metrics = send(api, "GET", "/metrics", &[], "").await;
        let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
        let zero = "guildhall_gateway_exact_limits_asked_total 0";
        assert!(metrics.contains("guildhall_gateway_exact_limits_asked_total"));
        (!metrics.contains(zero)).then_some(())
    })
    .await;
    let role = platform.status().roles.remove(1);
    assert_eq!((role.healthy, role.detail.as_str()), (true, ""));
    redis.kill().unwrap();
    detail(&platform, "for itself: ").await;
    redis.restart().unwrap();
    until("Redis is back", async || {
        platform.status().roles.remove(1).healthy.then_some(())
    })
    .await;
    platform.stop().await;
}

#[tokio::test]
async fn a_gateway_node_outlives_the_control_node_and_restarts_without_it() {
    let (control_folder, gateway_folder) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let control = control_node(control_folder.path()).await;
    let api = control.addresses().api.unwrap();
    let url = format!("http://{api}");
    let node = gateway_node(gateway_folder.path(), &url).await;
    publish(api, backend("hello").await).await;
    assert_eq!(
        answered(node.addresses().gateway.unwrap()).await.body,
        "hello"
    );
    let own = send(node.addresses().api.unwrap(), "GET", "services", &[], "").await;
    assert_eq!(own.problem(), "421 wrong-node");

    control.stop().await;
    let answer = send(node.addresses().gateway.unwrap(), "GET", "/hello", &[], "").await;
    assert_eq!(
        answer.body, "hello",
        "traffic does not wait for the control plane"
    );
    until("the status", async || {
        let status = node.status();
        (status.ready && status.roles[0].detail.contains("the control plane is away")).then_some(())
    })
    .await;
    node.stop().await;

    let node = gateway_node(gateway_folder.path(), &url).await;
    assert_eq!(
        answered(node.addresses().gateway.unwrap()).await.body,
        "hello",
        "from the copy on disk"
    );
    until("readiness", async || {
        (send(node.addresses().api.unwrap(), "GET", "/readyz", &[], "")
            .await
            .status
            == 200)
            .then_some(())
    })
    .await;

    // The control node comes back at its place with everything, and changes reach the gateway again.
    let control = Platform::builder()
        .data_dir(control_folder.path())
        .roles([Role::Control])
        .api_listen(api)
        .start()
        .await
        .unwrap();
    publish(api, backend("changed").await).await;
    until("the change", async || {
        let answer = send(node.addresses().gateway.unwrap(), "GET", "/hello", &[], "").await;
        assert_eq!(answer.status, StatusCode::OK);
        (answer.body == "changed").then_some(())
    })
    .await;
    node.stop().await;
    control.stop().await;
}
