//! A service's breakers as the platform shows them.

use std::time::Duration;

use axum::{Router, routing::get as route};
use guildhall::Registration;
use guildhall_api::client::{Changed, Client, ClientOptions, FleetQuery};
use guildhall_core::{document::Namespace, policy::report::State};
use guildhall_server::{Platform, settings::Role};
use http::StatusCode;

use crate::{service, soon, until};

#[tokio::test]
async fn the_platform_shows_a_breaker_within_a_second_and_no_longer_than_its_caller() {
    let folder = tempfile::tempdir().unwrap();
    let builder = Platform::builder()
        .data_dir(folder.path())
        .roles([Role::Control]);
    let platform = builder.start().await.unwrap();
    let url = format!("http://{}", platform.addresses().api.unwrap());
    let broken = route(|| std::future::ready(StatusCode::INTERNAL_SERVER_ERROR));
    let users = service("users")
        .platform(&url)
        .router(Router::new().route("/", broken))
        .start()
        .await
        .unwrap();
    until(&users, |registration| {
        *registration == Registration::Registered
    })
    .await;
    let orders = service("orders").platform(&url).instance_id("o1");
    let orders = orders.start().await.unwrap();
    let client = orders.client("users");

    let api = Client::new(ClientOptions::new([&url])).unwrap();
    let namespace = Namespace::default();
    let query = FleetQuery {
        service: Some("users".to_owned()),
        ..FleetQuery::default()
    };
    let mut list = api.breakers(Some(&namespace), &query).await.unwrap();
    // Until it is open: a refused call says so.
    soon("an open breaker", async {
        while !matches!(
            client.get("/").send().await,
            Err(guildhall::CallError::Rejected { .. })
        ) {}
    })
    .await;
    let shown = async {
        while list
            .items
            .first()
            .is_none_or(|row| row.breaker.state != State::Open)
        {
            let changed = Changed {
                since: list.index,
                wait: Duration::from_secs(5),
            };
            let asked = api.breakers_changed(Some(&namespace), &query, changed);
            list = asked.await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(1), shown)
        .await
        .expect("within a second");
    let row = &list.items[0];
    assert_eq!(row.caller.to_string(), "default/orders/o1");
    assert!(row.breaker.why().ends_with("calls failed"), "{row:?}");
    assert_eq!(row.breaker.policy, None, "a default of the SDK's");
    assert_eq!(row.transitions.len(), 1);

    orders.stop().await;
    let gone = api.breakers(Some(&namespace), &query).await.unwrap();
    assert_eq!(gone.items, []);
    users.stop().await;
    platform.stop().await;
}
