//! Single calls: failover, own writes, problems, lists.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use guildhall_api::{
    client::{Client, ClientError, ClientOptions, ListQuery, Precondition, PutOptions},
    wire::{Code, Problem},
};
use guildhall_core::{
    document::{InstanceId, Kind, Metadata, Namespace, Object, ServiceName},
    registry::{Instance, Query},
};
use tokio::{io::AsyncReadExt, net::TcpListener};

use crate::fake::{Fake, Reserved, at, instance, problem, reply, service, soon};

fn names() -> (Namespace, ServiceName, InstanceId) {
    (
        Namespace::default(),
        ServiceName::new("user-service").unwrap(),
        InstanceId::new("u:1").unwrap(),
    )
}

fn json(document: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap()
}

#[tokio::test]
async fn a_dead_server_is_passed_over_and_the_next_call_begins_with_the_one_that_answered() {
    let fake = Fake::start(|_| reply(200, &[], json(&service("a")))).await;
    let reserved = Reserved::new();
    let dead = reserved.url();
    let client = Client::new(ClientOptions::new([dead.clone(), fake.url()])).unwrap();
    assert_eq!(client.server(), dead);
    assert_eq!(client.get(&service("a").key()).await.unwrap(), service("a"));
    assert_eq!(client.server(), fake.url());

    let alone = Client::new(ClientOptions::new([dead])).unwrap();
    let error = alone.get(&service("a").key()).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Unreachable { .. }) && error.is_retryable(),
        "{error}"
    );
}

#[tokio::test]
async fn a_server_that_is_not_ready_or_not_the_one_is_passed_over() {
    for code in [Code::NotReady, Code::WrongNode] {
        let first = Fake::start(move |_| problem(&Problem::new(code, "ask elsewhere"))).await;
        let second = Fake::start(|_| reply(200, &[], json(&service("a")))).await;
        let client = Client::new(ClientOptions::new([first.url(), second.url()])).unwrap();
        assert_eq!(client.get(&service("a").key()).await.unwrap(), service("a"));
        assert_eq!((first.asked().len(), second.asked().len()), (1, 1));
    }
}

#[tokio::test]
async fn reads_wait_for_ones_own_writes() {
    let writes = AtomicUsize::new(0);
    let fake = Fake::start(move |asked| {
        let index = if asked.method == "GET" {
            "1.3".to_owned()
        } else {
            format!("1.{}", 40 + writes.fetch_add(1, Ordering::Relaxed))
        };
        reply(
            if asked.method == "GET" { 200 } else { 201 },
            &[("guildhall-index", &index)],
            json(&service("a")),
        )
    })
    .await;
    let client = fake.client();
    let key = service("a").key();
    client.get(&key).await.unwrap();
    let written = client
        .put(&service("a"), PutOptions::default())
        .await
        .unwrap();
    assert_eq!((written.index, written.created), (Some(at(1, 40)), true));
    client
        .clone()
        .put(&service("a"), PutOptions::default())
        .await
        .unwrap();
    client.get(&key).await.unwrap();
    assert_eq!(client.written(), Some(at(1, 41)));
    let queries: Vec<String> = fake.asked().into_iter().map(|asked| asked.query).collect();
    assert_eq!(queries, ["", "", "", "minIndex=1.41"]);
}

#[tokio::test]
async fn a_write_says_its_condition_and_leaves_out_what_the_server_owns() {
    let fake = Fake::start(|_| {
        reply(
            200,
            &[("guildhall-index", "1.2"), ("guildhall-warning", "odd")],
            json(&service("a")),
        )
    })
    .await;
    let client = fake.client().with_request_id("r-7");
    let mut metadata = service("a").metadata().clone();
    (metadata.revision, metadata.updated_by) = (9, Some("me".to_owned()));
    let owned = service("a").with_metadata(metadata);
    let options = PutOptions {
        precondition: Precondition::Revision(9),
        dry_run: true,
        draft: false,
        comment: Some("für alle".to_owned()),
    };
    let written = client.put(&owned, options).await.unwrap();
    assert_eq!(written.warnings, ["odd"]);
    client
        .delete(&service("a").key(), Precondition::Absent)
        .await
        .unwrap();
    let asked = fake.asked();
    assert_eq!(
        (asked[0].query.as_str(), asked[0].header("if-match")),
        ("dryRun=true", Some("\"9\""))
    );
    assert_eq!(
        asked[0].header("guildhall-comment"),
        Some("UTF-8''f%C3%BCr%20alle")
    );
    assert_eq!(asked[0].header("x-request-id"), Some("r-7"));
    let body: serde_json::Value = serde_json::from_slice(&asked[0].body).unwrap();
    assert_eq!(
        body["metadata"],
        serde_json::json!({"name": "a", "namespace": "default"})
    );
    assert_eq!(
        (asked[1].method.as_str(), asked[1].header("if-none-match")),
        ("DELETE", Some("*"))
    );
}

#[tokio::test]
async fn a_refusal_is_typed_and_a_proxys_is_explained() {
    let fake = Fake::start(|asked| {
        if asked.path.ends_with("/heartbeat") {
            problem(&Problem::new(Code::NotFound, "no such instance"))
        } else {
            reply(502, &[("retry-after", "7")], "<html>oops")
        }
    })
    .await;
    let client = fake.client();
    let (ns, of, id) = names();
    let error = client.heartbeat(&ns, &of, &id).await.unwrap_err();
    assert!(error.is_not_found() && !error.is_retryable());
    assert!(
        error
            .to_string()
            .ends_with("There is no such document (not-found): no such instance"),
        "{error}"
    );
    let error = client
        .discover(&ns, &of, &Query::default())
        .await
        .unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(502));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert!(
        error.is_retryable() && error.to_string().contains("<html>oops"),
        "{error}"
    );
}

#[tokio::test]
async fn a_list_is_read_whole_and_begun_anew_when_its_snapshot_is_gone() {
    let calls = AtomicUsize::new(0);
    let fake = Fake::start(move |asked| {
        let page = |items: &[&str], next: Option<&str>| {
            let items: Vec<_> = items.iter().map(|name| service(name)).collect();
            let body = serde_json::json!({"items": items, "metadata": {"revision": "1.9", "continue": next}});
            reply(200, &[], body.to_string())
        };
        match calls.fetch_add(1, Ordering::Relaxed) {
            0 => page(&["a"], Some("x y")),
            1 => problem(&Problem::new(Code::ContinueExpired, "begin anew")),
            2 => page(&["a", "b"], Some("x y")),
            _ => {
                assert_eq!(asked.query, "labelSelector=team%3Dshop&continue=x%20y");
                page(&["c"], None)
            }
        }
    })
    .await;
    let listed = fake
        .client()
        .list(
            Kind::Service,
            None,
            &ListQuery::selecting("team=shop").unwrap(),
        )
        .await
        .unwrap();
    assert_eq!(listed.documents, [service("a"), service("b"), service("c")]);
    assert_eq!(listed.index, at(1, 9));
    assert_eq!(fake.asked()[0].path, "/api/v1/namespaces/-/services");
}

#[tokio::test]
async fn discovery_and_registration_read_back() {
    let fake = Fake::start(|asked| match asked.method.as_str() {
        "GET" => {
            let body = serde_json::json!({
                "service": "user-service", "namespace": "default", "index": "1.5", "protected": true,
                "instances": [instance("u:1")],
            });
            reply(200, &[], body.to_string())
        }
        _ => reply(201, &[("guildhall-index", "1.5")], json(&instance("u:1"))),
    })
    .await;
    let client = fake.client();
    let (ns, of, _) = names();
    let object = Object::new(
        Metadata::named(ns.clone(), "u:1"),
        Instance::new(of.clone(), "127.0.0.1", 3001),
    );
    assert!(client.register(&object).await.unwrap().created);
    let found = client.discover(&ns, &of, &Query::default()).await.unwrap();
    assert!(found.protected && found.instances == [instance("u:1")]);
    let asked = fake.asked();
    assert_eq!(
        asked[0].path,
        "/api/v1/namespaces/default/services/user-service/instances/u%3A1"
    );
    assert_eq!(asked[1].query, "healthy=true&minIndex=1.5");
}

/// Reads a request and closes the connection, each time.
async fn breaks_off() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1024]).await;
        }
    });
    (url, task)
}

#[tokio::test]
async fn what_may_have_been_carried_out_is_not_sent_twice() {
    let (broken, task) = breaks_off().await;
    let fake =
        Fake::start(|_| reply(201, &[("guildhall-index", "1.2")], json(&instance("u:1")))).await;
    let options = || ClientOptions::new([broken.clone(), fake.url()]);
    let (ns, of, _) = names();
    let spec = Instance::new(of, "127.0.0.1", 3001);
    let error = Client::new(options())
        .unwrap()
        .register_unnamed(&ns, &spec)
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error}");
    assert!(fake.asked().is_empty());
    // To put the same twice is to put it once.
    Client::new(options())
        .unwrap()
        .put(&instance("u:1"), PutOptions::default())
        .await
        .unwrap();
    assert_eq!(fake.asked().len(), 1);
    task.abort();
}

#[tokio::test]
async fn a_server_that_hangs_costs_one_timeout() {
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let fake = Fake::start(|_| reply(200, &[], json(&service("a")))).await;
    let mut options = ClientOptions::new([
        format!("http://{}", hanging.local_addr().unwrap()),
        fake.url(),
    ]);
    options.timeout = Duration::from_millis(50);
    let client = Client::new(options).unwrap();
    let error = client.get(&service("a").key()).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    soon("the other server's answer", client.get(&service("a").key()))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_list_of_a_newer_server_is_read_but_for_what_is_not_known_at_all() {
    let mut newer = serde_json::to_value(instance("u1")).unwrap();
    newer["spec"]["nextField"] = true.into();
    newer["spec"]["ports"][0]["nextField"] = true.into();
    newer["status"] = serde_json::json!({"health": "next", "nextField": 1});
    let route = serde_json::json!({"kind": "HTTPRoute", "metadata": {"name": "r"}, "spec": {"rules": [{"matches": [{"path": {"type": "Next"}}]}]}});
    let items = serde_json::json!([newer, route]);
    let fake = Fake::start(move |asked| {
        let answer = if asked.path.ends_with("/services/user-service/instances") {
            serde_json::json!({"service": "user-service", "namespace": "default", "index": "1.5", "protected": false, "instances": items, "next": 1})
        } else {
            serde_json::json!({"items": items, "metadata": {"revision": "1.5", "next": 1}})
        };
        reply(200, &[], json(&answer))
    })
    .await;
    let (namespace, service, _) = names();
    let client = fake.client();
    let list = ListQuery::default();
    let listed = client.list(Kind::Instance, None, &list).await.unwrap();
    assert_eq!(listed.documents, [instance("u1")]);
    assert!(
        matches!(&listed.skipped[..], [why] if why.starts_with("HTTPRoute \"r\"")),
        "{:?}",
        listed.skipped
    );
    let query = Query::default();
    let found = client.discover(&namespace, &service, &query).await.unwrap();
    assert_eq!(found.instances, [instance("u1")]);
}
