//! Where requests go, and what is answered when they go nowhere.

use guildhall_core::registry::Health;
use guildhall_gateway::Options;
use serde_json::json;

use crate::support::{
    Backend, Fixture, in_front_of, instance, instance_of, ok, options, route, to_service,
    with_health,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_go_where_the_routes_say() {
    let (users, orders, special) = (
        Backend::named("users").await,
        Backend::named("orders").await,
        Backend::named("special").await,
    );
    let fixture = Fixture::start(options(), vec![
        to_service("users", "/users", "users"),
        to_service("orders", "/orders", "orders"),
        route("special", json!({"hostnames": ["special.test"], "rules": [{"backendRefs": [{"name": "special"}]}]})),
        instance("users", "u", users.address),
        instance("orders", "o", orders.address),
        instance("special", "s", special.address),
    ])
    .await;
    assert_eq!(fixture.get("/users/1").await.text(), "users");
    assert_eq!(fixture.get("/orders?x=1").await.text(), "orders");
    let special = fixture
        .ask("GET /users HTTP/1.1\r\nHost: Special.Test:8080\r\n\r\n")
        .await;
    assert_eq!(special.text(), "special");

    let missing = fixture.get("/none").await;
    assert_eq!((missing.status, missing.reason()), (404, "route_not_found"));
    assert_eq!(
        missing.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(missing.json()["code"], "no-route");
    assert_eq!(
        missing.json()["instance"],
        missing.header("x-request-id").unwrap()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_without_a_usable_instance_is_503_and_says_which() {
    let down = instance("users", "u", "127.0.0.1:1".parse().unwrap());
    let grpc = json!({"service": "grpc", "host": "127.0.0.1", "port": 1, "protocol": "grpc"});
    let fixture = Fixture::start(
        options(),
        vec![
            to_service("users", "/users", "users"),
            to_service("grpc", "/grpc", "grpc"),
            to_service("ghost", "/ghost", "ghost"),
            route(
                "none",
                json!({"rules": [{"matches": [{"path": {"value": "/none"}}]}]}),
            ),
            route(
                "zero",
                json!({"rules": [{
                    "matches": [{"path": {"value": "/zero"}}],
                    "backendRefs": [{"name": "users", "weight": 0}],
                }]}),
            ),
            route(
                "foreign",
                json!({"rules": [{
                    "matches": [{"path": {"value": "/foreign"}}],
                    "backendRefs": [{"name": "users", "namespace": "other"}],
                }]}),
            ),
            route(
                "cors",
                json!({"rules": [{
                    "matches": [{"path": {"value": "/cors"}}],
                    "filters": [{"type": "CORS", "cors": {}}],
                    "backendRefs": [{"name": "users"}],
                }]}),
            ),
            with_health(down, Health::Unhealthy),
            instance_of("g", grpc),
        ],
    )
    .await;
    for (path, status, reason) in [
        (
            "/users",
            503,
            "no_healthy_endpoint; route=default/users; rule=0; service=default/users; revision=1",
        ),
        (
            "/grpc",
            503,
            "protocol_unsupported; route=default/grpc; rule=0; service=default/grpc; revision=1",
        ),
        (
            "/ghost",
            500,
            "backend_invalid; route=default/ghost; rule=0; service=default/ghost; revision=0",
        ),
        (
            "/none",
            500,
            "backend_invalid; route=default/none; rule=0; revision=0",
        ),
        (
            "/zero",
            500,
            "backend_invalid; route=default/zero; rule=0; revision=0",
        ),
        (
            "/foreign",
            500,
            "backend_invalid; route=default/foreign; rule=0; revision=0",
        ),
        (
            "/cors",
            500,
            "rule_unsupported; route=default/cors; rule=0; revision=0",
        ),
    ] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status, answer.reason()), (status, reason), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_the_first_documents_nothing_is_routed_and_that_is_said() {
    let fixture = Fixture::start_without_documents(options());
    let answer = fixture.get("/").await;
    assert_eq!((answer.status, answer.reason()), (503, "not_ready"));
    assert!(!fixture.gateway.status().ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_default_route_takes_the_service_off_the_path() {
    let users = Backend::answering(|request| ok(request.head.lines().next().unwrap())).await;
    let options = Options {
        default_route: true,
        ..options()
    };
    let fixture = Fixture::start(options, vec![instance("user-service", "u", users.address)]).await;
    for (asked, seen) in [
        ("/user-service/users/1?x=2", "GET /users/1?x=2 HTTP/1.1"),
        ("/user-service", "GET / HTTP/1.1"),
        ("/user-service/", "GET / HTTP/1.1"),
    ] {
        assert_eq!(fixture.get(asked).await.text(), seen, "{asked}");
    }
    assert_eq!(fixture.get("/other/x").await.reason(), "route_not_found");
    assert_eq!(fixture.get("/").await.reason(), "route_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_path_that_was_matched_is_the_path_that_is_passed_on() {
    let backend = Backend::answering(|request| ok(request.head.lines().next().unwrap())).await;
    let fixture = in_front_of(&backend).await;
    for (asked, seen) in [
        ("/a/./b//c/../d?q=%2e//..", "GET /a/b/d?q=%2e//.. HTTP/1.1"),
        (
            "/a%2fb/%7Euser/%e2%82%ac",
            "GET /a%2Fb/~user/%E2%82%AC HTTP/1.1",
        ),
        ("http://shop.test/a//b", "GET /a/b HTTP/1.1"),
    ] {
        assert_eq!(fixture.get(asked).await.text(), seen, "{asked}");
    }
    for bad in ["/../x", "/a/%2e%2e/%2e%2e/x", "/%00", "/%zz"] {
        let answer = fixture.get(bad).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_str()),
            (400, Some("bad-request")),
            "{bad}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_change_requests_and_answers() {
    let backend = Backend::echo().await;
    let fixture = Fixture::start(options(), vec![
        route("rewrite", json!({"rules": [{
            "matches": [{"path": {"value": "/old"}}],
            "filters": [
                {"type": "URLRewrite", "urlRewrite": {"hostname": "inner.test", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}},
                {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-set", "value": "1"}], "add": [{"name": "x-add", "value": "2"}], "remove": ["x-gone"]}},
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "x-answer", "value": "3"}]}},
            ],
            "backendRefs": [{"name": "svc", "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-backend", "value": "4"}]}}]}],
        }]})),
        route("redirect", json!({"rules": [{
            "matches": [{"path": {"value": "/away"}}],
            "filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301, "path": {"type": "ReplaceFullPath", "replaceFullPath": "/there"}}}],
        }]})),
        instance("svc", "one", backend.address),
    ])
    .await;
    let answer = fixture
        .ask(
            "GET /old/a?q HTTP/1.1\r\nHost: shop.test\r\nX-Gone: x\r\nX-Set: 0\r\nX-Add: 0\r\n\r\n",
        )
        .await;
    let seen = answer.text().to_lowercase();
    assert!(seen.starts_with("get /new/a?q http/1.1\r\n"), "{seen}");
    for line in [
        "host: inner.test",
        "x-set: 1",
        "x-add: 0",
        "x-add: 2",
        "x-backend: 4",
        "x-forwarded-host: shop.test",
    ] {
        assert!(seen.contains(&format!("{line}\r\n")), "{line} in {seen}");
    }
    assert!(
        !seen.contains("x-gone") && !seen.contains("x-set: 0"),
        "{seen}"
    );
    assert_eq!(answer.header("x-answer"), Some("3"));

    let answer = fixture.get("/away/x?q=1").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (301, Some("https://shop.test/there?q=1"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_follow_the_weights_and_an_invalid_backend_keeps_its_own() {
    let (a, b) = (Backend::named("a").await, Backend::named("b").await);
    let fixture = Fixture::start(options(), vec![
        route("split", json!({"rules": [{"backendRefs": [
            {"name": "a", "weight": 2}, {"name": "b", "weight": 1}, {"name": "ghost", "weight": 1}, {"name": "b", "weight": 0},
        ]}]})),
        instance("a", "one", a.address),
        instance("b", "one", b.address),
    ])
    .await;
    let mut client = fixture.client().await;
    let mut counts = [0; 3];
    for _ in 0..400 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        match (answer.status, answer.text()) {
            (200, "a") => counts[0] += 1,
            (200, "b") => counts[1] += 1,
            (500, _) => counts[2] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(
        (150..250).contains(&counts[0]) && counts[1] > 50 && counts[2] > 50,
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_is_chosen_by_number_or_name_and_a_host_may_be_a_name() {
    let (main, admin) = (Backend::named("main").await, Backend::named("admin").await);
    let to = |name: &str, prefix: &str, backend: serde_json::Value| {
        route(
            name,
            json!({"rules": [{"matches": [{"path": {"value": prefix}}], "backendRefs": [backend]}]}),
        )
    };
    let fixture = Fixture::start(options(), vec![
        to("default", "/default", json!({"name": "svc"})),
        to("number", "/number", json!({"name": "svc", "port": admin.address.port()})),
        to("name", "/name", json!({"name": "svc", "portName": "admin"})),
        to("missing", "/missing", json!({"name": "svc", "portName": "none"})),
        instance_of("one", json!({"service": "svc", "host": "localhost", "ports": [
            {"name": "http", "port": main.address.port()}, {"name": "admin", "port": admin.address.port()},
        ]})),
    ])
    .await;
    // The name's address may take longer than the first snapshot waits.
    crate::support::until("localhost is looked up", async || {
        fixture.get("/default").await.status == 200
    })
    .await;
    for (path, expected) in [
        ("/default", "main"),
        ("/number", "admin"),
        ("/name", "admin"),
    ] {
        assert_eq!(fixture.get(path).await.text(), expected, "{path}");
    }
    assert_eq!(fixture.get("/missing").await.status, 503);
}
