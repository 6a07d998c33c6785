//! `grpc.health.v1.Health` as the SDK's server answers it.

use std::sync::atomic::AtomicBool;

use guildhall::Registration;
use guildhall_api::client::{Client, ClientOptions};
use guildhall_core::registry::Query;
use tonic_health::pb::health_check_response::ServingStatus;

use super::{
    says::{echoes, plain},
    *,
};
use crate::until;

fn asking(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn the_health_service_says_what_the_checks_say() {
    let well = Arc::new(AtomicBool::new(true));
    let checked = well.clone();
    let running = crate::service("says")
        .grpc_service(echoes())
        .health_check("database", move || {
            std::future::ready(checked.load(Ordering::Relaxed))
        })
        .start()
        .await
        .unwrap();
    let mut health = HealthClient::new(plain(running.addr()));
    for service in ["", "shop.Says"] {
        let answer = health.check(asking(service)).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);
    }
    let status = health.check(asking("shop.Other")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let watch = health.watch(asking("shop.Other")).await.unwrap();
    let mut unknown = watch.into_inner();
    let told = unknown.message().await.unwrap().unwrap();
    assert_eq!(told.status(), ServingStatus::ServiceUnknown);

    let mut watch = health
        .watch(asking("shop.Says"))
        .await
        .unwrap()
        .into_inner();
    let mut next = async || watch.message().await.map(|told| told.unwrap().status());
    assert_eq!(next().await.unwrap(), ServingStatus::Serving);
    well.store(false, Ordering::Relaxed);
    assert_eq!(
        soon("the bad news", next()).await.unwrap(),
        ServingStatus::NotServing
    );
    well.store(true, Ordering::Relaxed);
    assert_eq!(
        soon("the good news", next()).await.unwrap(),
        ServingStatus::Serving
    );

    // It says that it stops before it ends, and nobody has to be cut.
    let stopped = tokio::spawn(running.stop());
    assert_eq!(
        soon("the farewell", next()).await.unwrap(),
        ServingStatus::NotServing
    );
    let ended = soon("the end", next()).await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    assert_eq!(
        unknown.message().await.unwrap_err().code(),
        Code::Unavailable
    );
    assert_eq!(soon("the stop", stopped).await.unwrap().cut, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_may_check_by_grpc() {
    let folder = tempfile::tempdir().unwrap();
    let platform = crate::real::platform(folder.path(), "127.0.0.1:0").await;
    let well = Arc::new(AtomicBool::new(true));
    let checked = well.clone();
    let running = crate::service("says")
        .platform(&crate::real::url(&platform))
        .grpc_service(echoes())
        .grpc_check(MS(1_000))
        .health_check("database", move || {
            std::future::ready(checked.load(Ordering::Relaxed))
        })
        .start()
        .await
        .unwrap();
    until(&running, |now| *now == Registration::Registered).await;
    let api = Client::new(ClientOptions::new([crate::real::url(&platform)])).unwrap();
    let (ns, of) = crate::real::named("says");
    let check = async || {
        let found = api.discover(&ns, &of, &Query::all()).await.unwrap();
        let instance = serde_json::to_value(&found.instances[0]).unwrap();
        let status = &instance["status"];
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        (
            text(&status["health"]),
            text(&status["checks"][0]["output"]),
        )
    };
    assert_eq!(check().await.0, "healthy");
    well.store(false, Ordering::Relaxed);
    let unhealthy = async {
        loop {
            let (health, output) = check().await;
            if health == "unhealthy" {
                return output;
            }
            tokio::time::sleep(MS(20)).await;
        }
    };
    let output = soon("the verdict", unhealthy).await;
    assert!(output.contains("NOT_SERVING"), "{output}");
    well.store(true, Ordering::Relaxed);
    let healthy = async {
        while check().await.0 != "healthy" {
            tokio::time::sleep(MS(20)).await;
        }
    };
    soon("the better verdict", healthy).await;
    soon("the end", running.stop()).await;
    platform.stop().await;
}
