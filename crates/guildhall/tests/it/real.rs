//! Services and the client against the real platform.

use std::{path::Path, time::Duration};

use axum::{Router, routing::get as route};
use guildhall::{Registration, Running, ServiceClient};
use guildhall_api::{
    client::{Changed, Client, ClientOptions, ListQuery, Precondition, PutOptions, WatchScope},
    source::{RemoteSource, SourceOptions},
    wire::{AcquireLock, Code, MaintenanceBody, ReportBody, WatchEvent},
};
use guildhall_core::{
    document::{InstanceId, Kind, Metadata, Namespace, Object, Period, ServiceName},
    registry::{
        Check, CheckState, Instance, MaintenanceMode, Probe, Query, Service as ServiceSpec,
        TimelineEntry,
    },
    source::{SnapshotSource, Update},
};
use guildhall_server::{Platform, settings::Role};

use crate::{service, soon, until};

pub(crate) async fn platform(folder: &Path, listen: &str) -> Platform {
    let builder = Platform::builder()
        .data_dir(folder)
        .roles([Role::Control])
        .api_listen(listen.parse().unwrap());
    builder.start().await.unwrap()
}

pub(crate) fn url(platform: &Platform) -> String {
    format!("http://{}", platform.addresses().api.unwrap())
}

async fn users(url: &str, id: &str) -> Running {
    let answer = id.to_owned();
    let router = Router::new().route("/who", route(move || std::future::ready(answer.clone())));
    let service = service("users")
        .platform(url)
        .instance_id(id)
        .ttl(Duration::from_secs(1))
        .describe("Keeps users");
    let running = service
        .propagation(Duration::from_millis(200))
        .router(router)
        .start()
        .await
        .unwrap();
    until(&running, |registration| {
        *registration == Registration::Registered
    })
    .await;
    running
}

async fn who(users: &ServiceClient) -> String {
    users.get("/who").send().await.unwrap().text().into_owned()
}

pub(crate) fn named(service: &str) -> (Namespace, ServiceName) {
    (Namespace::default(), ServiceName::new(service).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_find_each_other_and_survive_the_platforms_absence() {
    let folder = tempfile::tempdir().unwrap();
    let first = platform(&folder.path().join("data"), "127.0.0.1:0").await;
    let (at, url) = (first.addresses().api.unwrap().to_string(), url(&first));
    let u1 = users(&url, "u1").await;
    let orders = service("orders")
        .platform(&url)
        .depends_on("users")
        .cache_dir(folder.path().join("cache"));
    let orders = orders.start().await.unwrap();
    until(&orders, |registration| {
        *registration == Registration::Registered
    })
    .await;
    let client = orders.client("users");
    assert_eq!(who(&client).await, "u1");

    let api = Client::new(ClientOptions::new([&url])).unwrap();
    let (ns, of) = named("users");
    let found = api.discover(&ns, &of, &Query::default()).await.unwrap();
    assert_eq!(found.instances.len(), 1);
    let graph = serde_json::to_value(api.graph(Some(&ns)).await.unwrap()).unwrap();
    assert!(graph.to_string().contains("orders"), "{graph}");
    assert_eq!(
        api.status()
            .await
            .unwrap()
            .registry
            .unwrap()
            .instances
            .healthy,
        2
    );

    let u2 = users(&url, "u2").await;
    soon("u2's turn", async { while who(&client).await != "u2" {} }).await;
    soon("u1's end", u1.stop()).await;
    assert_eq!(who(&client).await, "u2");

    // The platform goes away, calls go on; it comes back with its data, and the TTL has been kept alive.
    first.stop().await;
    assert_eq!(who(&client).await, "u2");
    let second = platform(&folder.path().join("data"), &at).await;
    let known = api.discover(&ns, &of, &Query::all()).await.unwrap();
    assert_eq!(known.instances.len(), 1);
    second.stop().await;

    // It comes back without its data: everybody registers again.
    let third = platform(&folder.path().join("empty"), &at).await;
    let again = async {
        while !api
            .discover(&ns, &of, &Query::default())
            .await
            .is_ok_and(|found| found.instances.len() == 1)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the registration anew", again).await;
    assert_eq!(who(&client).await, "u2");
    soon("u2's end", u2.stop()).await;
    soon("the end", orders.stop()).await;
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_and_the_server_agree() {
    let folder = tempfile::tempdir().unwrap();
    let platform = platform(folder.path(), "127.0.0.1:0").await;
    let api = Client::new(ClientOptions::new([url(&platform)])).unwrap();
    let (ns, of) = named("users");

    // Documents, conditions, lists.
    let object =
        |name: &str| Object::new(Metadata::named(ns.clone(), name), ServiceSpec::default());
    let dry = api
        .put(
            &object("users").into(),
            PutOptions {
                dry_run: true,
                ..PutOptions::default()
            },
        )
        .await
        .unwrap();
    assert_eq!((dry.created, dry.index), (true, dry.index));
    let absent = PutOptions {
        precondition: Precondition::Absent,
        ..PutOptions::default()
    };
    let written = api
        .put(&object("users").into(), absent.clone())
        .await
        .unwrap();
    assert!(written.created && written.index.is_some());
    let error = api.put(&object("users").into(), absent).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::PreconditionFailed), "{error}");
    let key = object("users").key();
    let revision = api.get(&key).await.unwrap().metadata().revision;
    let stale = Precondition::Revision(revision + 7);
    assert_eq!(
        api.delete(&key, stale).await.unwrap_err().code(),
        Some(Code::PreconditionFailed)
    );
    for n in 0..25 {
        api.put(&object(&format!("s{n:02}")).into(), PutOptions::default())
            .await
            .unwrap();
    }
    let query = ListQuery {
        limit: Some(10),
        ..ListQuery::default()
    };
    assert_eq!(
        api.list(Kind::Service, Some(&ns), &query)
            .await
            .unwrap()
            .documents
            .len(),
        26
    );

    // Registration, beats, reports, maintenance, timeline.
    let mut spec = Instance::new(of.clone(), "127.0.0.1", 3001);
    spec.checks = vec![Check {
        name: "beat".to_owned(),
        probe: Probe::Ttl {
            ttl: Period::secs(30),
        },
        initial_status: None,
        deregister_after: None,
    }];
    let id = InstanceId::new("u#1@a+b").unwrap();
    let instance = Object::new(Metadata::named(ns.clone(), id.as_str()), spec.clone());
    assert!(api.register(&instance).await.unwrap().created);
    let found = api.discover(&ns, &of, &Query::default()).await.unwrap();
    assert_eq!(found.instances.len(), 0);
    let since = found.index;
    let changed = tokio::spawn({
        let (api, ns, of) = (api.clone(), ns.clone(), of.clone());
        let changed = Changed {
            since,
            wait: Duration::from_secs(20),
        };
        async move {
            api.discover_changed(&ns, &of, &Query::default(), changed)
                .await
                .unwrap()
        }
    });
    assert_eq!(
        api.heartbeat(&ns, &of, &id).await.unwrap().ttl,
        Some(Period::secs(30))
    );
    assert_eq!(
        soon("the change", changed).await.unwrap().instances.len(),
        1
    );
    let report = ReportBody {
        state: CheckState::Critical,
        output: "out of order".to_owned(),
    };
    api.report(&ns, &of, &id, "beat", &report).await.unwrap();
    let body = MaintenanceBody {
        enabled: true,
        mode: MaintenanceMode::Draining,
        reason: "new disk".to_owned(),
    };
    api.maintenance(&ns, &of, &id, &body).await.unwrap();
    let told = async {
        let has = |entries: &[TimelineEntry], output: &str| {
            entries.iter().any(|entry| entry.output == output)
        };
        loop {
            let entries = api.timeline(&ns, &of, &id).await.unwrap().entries;
            if has(&entries, "out of order") && has(&entries, "new disk") {
                return;
            }
        }
    };
    soon("the timeline", told).await;
    let generated = api.register_unnamed(&ns, &spec).await.unwrap();
    assert!(!generated.document.metadata().name.is_empty());
    assert_eq!(api.stats(Some(&ns)).await.unwrap().instances.total, 2);
    api.impact(&ns, &of).await.unwrap();

    // Locks.
    let request = AcquireLock {
        owner: "me".to_owned(),
        ttl: Some(Period::secs(5)),
        wait: None,
    };
    let held = api.acquire(&ns, "leader", &request).await.unwrap();
    assert_eq!(
        api.acquire(&ns, "leader", &request)
            .await
            .unwrap_err()
            .code(),
        Some(Code::LockHeld)
    );
    assert_eq!(
        api.renew(&ns, "leader", held.token).await.unwrap().token,
        held.token
    );
    assert_eq!(
        api.renew(&ns, "leader", held.token + 1)
            .await
            .unwrap_err()
            .code(),
        Some(Code::LockLost)
    );
    api.release(&ns, "leader", held.token).await.unwrap();
    assert!(api.acquire(&ns, "leader", &request).await.unwrap().token > held.token);

    // Deregistration, which a watch tells.
    let scope = WatchScope {
        kinds: vec![Kind::Instance],
        namespace: Some(ns.clone()),
        service: Some(of.clone()),
    };
    let mut watch = api.watch(scope.clone(), None);
    while soon("the bookmark", watch.next()).await.unwrap().event != WatchEvent::Bookmark {}
    let mut source = RemoteSource::start(api.clone(), scope, SourceOptions::default());
    assert!(
        matches!(soon("full", source.next()).await, Some(Update::Full { documents, .. }) if documents.len() == 2)
    );
    let gone = api.deregister(&ns, &of, &id).await.unwrap();
    let item = soon("the deletion", watch.next()).await.unwrap();
    assert!(matches!(item.event, WatchEvent::Deleted(deleted) if deleted.key == "users/u#1@a+b"));
    assert_eq!(item.index, Some(gone));
    assert!(
        matches!(soon("delta", source.next()).await, Some(Update::Delta { index, .. }) if index == gone)
    );
    let error = api.heartbeat(&ns, &of, &id).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");

    // A snapshot.
    let mut download = api.snapshot().await.unwrap();
    let mut bytes = 0;
    while let Some(chunk) = download.chunk().await.unwrap() {
        bytes += chunk.len();
    }
    assert!(bytes > 1_000);
    source.stop().await;
    drop(watch);
    platform.stop().await;
}
