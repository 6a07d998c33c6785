//! Writing: compare and set, what is kept, what is refused.

use std::sync::Arc;
use std::time::Duration;

use guildhall_control::Error;
use guildhall_control::documents::{ListQuery, Precondition};
use guildhall_core::access::{Caller, Verb, Via};
use guildhall_core::document::{Document, Kind, Metadata, Object, ServiceName};
use guildhall_core::registry::Instance;
use serde_json::json;

use crate::world::*;

#[tokio::test(start_paused = true)]
async fn a_document_is_created_updated_and_left_alone() {
    let world = World::new().await;
    let users = |owner: &str| service("users", json!({"owner": owner}));
    let created = world.put(users("a")).await.unwrap();
    assert!(created.created && created.changed);
    let updated = world.put(users("b")).await.unwrap();
    assert!(!updated.created && updated.changed);
    assert!(updated.index.revision > created.index.revision);
    let same = world.put(users("b")).await.unwrap();
    assert!(!same.created && !same.changed);
    assert_eq!(same.document.metadata(), updated.document.metadata());
    assert!(same.index.covers(updated.index));
    let [created, updated] = [created, updated].map(|written| written.document.metadata().clone());
    assert_eq!(created.created_at, updated.created_at);
    assert_eq!(updated.updated_by.as_deref(), Some("tester"));
    // Nobody waited for the view in between: what it lags behind never decides.
    assert!(world.put(users("a")).await.unwrap().changed);
    assert!(world.put(users("b")).await.unwrap().changed);
}

#[tokio::test(start_paused = true)]
async fn what_the_server_owns_is_not_the_senders_to_say() {
    let world = World::new().await;
    let mut sent = service("users", json!({}));
    let metadata = sent.metadata_mut();
    metadata.revision = 77;
    metadata.updated_by = Some("me".to_owned());
    metadata.created_at = Some(guildhall_core::document::Timestamp(1));
    let written = world.seen(sent).await;
    let metadata = written.document.metadata();
    assert_eq!(metadata.revision, written.index.revision);
    assert_eq!(metadata.updated_by.as_deref(), Some("tester"));
    assert!(metadata.created_at.unwrap().as_millis() > 1);
}

#[tokio::test(start_paused = true)]
async fn preconditions_decide_on_what_the_store_has() {
    let world = World::new().await;
    let documents = world.control.documents();
    let users = key(Kind::Service, "users");
    let put = |owner: &str, wanted| {
        let (documents, caller) = (documents.clone(), world.caller.clone());
        let document = service("users", json!({"owner": owner}));
        async move { documents.put(&caller, document, wanted, false).await }
    };
    let refused = |result: Result<_, Error>| match result {
        Err(Error::Precondition { current, .. }) => current,
        other => panic!(
            "{:?}",
            other.map(|_: guildhall_control::documents::Written| ())
        ),
    };
    assert_eq!(refused(put("a", Precondition::Present).await), None);
    assert_eq!(refused(put("a", Precondition::Revision(1)).await), None);
    let first = put("a", Precondition::Absent).await.unwrap().index.revision;
    assert_eq!(refused(put("b", Precondition::Absent).await), Some(first));
    let second = put("b", Precondition::Revision(first))
        .await
        .unwrap()
        .index
        .revision;
    assert_eq!(
        refused(put("c", Precondition::Revision(first)).await),
        Some(second)
    );
    put("c", Precondition::Present).await.unwrap();
    let delete = |wanted| {
        let (documents, caller, users) = (documents.clone(), world.caller.clone(), users.clone());
        async move { documents.delete(&caller, &users, wanted, false).await }
    };
    assert!(matches!(
        delete(Precondition::Revision(first)).await,
        Err(Error::Precondition { .. })
    ));
    delete(Precondition::Present).await.unwrap();
    assert!(matches!(
        delete(Precondition::None).await,
        Err(Error::NotFound(_))
    ));
    assert!(matches!(
        delete(Precondition::Present).await,
        Err(Error::Precondition { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn of_concurrent_conditional_writers_one_wins_each_time() {
    let world = World::new().await;
    let counter = key(Kind::Service, "counter");
    world
        .seen(service("counter", json!({"description": "0"})))
        .await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (control, caller, counter) =
            (world.control.clone(), world.caller.clone(), counter.clone());
        tasks.push(tokio::spawn(async move {
            let mut done = 0;
            while done < 10 {
                let current = control.documents().get(&caller, &counter).unwrap();
                let Document::Service(object) = &current else {
                    panic!()
                };
                let count: u32 = object.spec.description.as_deref().unwrap().parse().unwrap();
                let next = service("counter", json!({"description": (count + 1).to_string()}));
                let wanted = Precondition::Revision(current.metadata().revision);
                match control.documents().put(&caller, next, wanted, false).await {
                    Ok(written) => {
                        done += 1;
                        control.wait_for(written.index).await.unwrap();
                    }
                    Err(Error::Precondition { .. }) => {
                        tokio::time::sleep(Duration::from_millis(1)).await
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
    let Document::Service(object) = world
        .control
        .documents()
        .get(&world.caller, &counter)
        .unwrap()
    else {
        panic!()
    };
    assert_eq!(object.spec.description.as_deref(), Some("80"));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_checks_everything_and_writes_nothing() {
    let world = World::new().await;
    let documents = world.control.documents();
    let before = guildhall_store::Store::index(&*world.store);
    let users = service("users", json!({}));
    let written = documents
        .put(&world.caller, users.clone(), Precondition::None, true)
        .await
        .unwrap();
    assert!(written.created && written.changed);
    let refused = documents
        .put(&world.caller, users, Precondition::Present, true)
        .await;
    assert!(matches!(refused, Err(Error::Precondition { .. })));
    assert_eq!(guildhall_store::Store::index(&*world.store), before);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_is_refused() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    let documents = world.control.documents();
    let users = key(Kind::Service, "users");
    let reader = caller("reader", &[(Verb::Read, Some("default"))]);
    let put = documents
        .put(&reader, service("x", json!({})), Precondition::None, false)
        .await;
    assert!(matches!(put, Err(Error::Denied(_))));
    let delete = documents
        .delete(&reader, &users, Precondition::None, false)
        .await;
    assert!(matches!(delete, Err(Error::Denied(_))));
    assert!(documents.get(&reader, &users).is_ok());
    let other = caller("other", &[(Verb::Admin, Some("shop"))]);
    assert!(matches!(
        documents.get(&other, &users),
        Err(Error::Denied(_))
    ));
    let beat = world
        .control
        .registry()
        .heartbeat(&reader, &key(Kind::Instance, "users/u1"))
        .await;
    assert!(matches!(beat, Err(Error::Denied(_))));
}

#[tokio::test(start_paused = true)]
async fn names_of_foreign_protocols_come_through_adapters_only() {
    let world = World::new().await;
    let spec = Instance::new(ServiceName::new("UserService").unwrap(), "h", 1);
    let document: Document =
        Object::new(Metadata::named(namespace(), "10.0.0.1:80#A"), spec).into();
    let documents = world.control.documents();
    let native = documents
        .put(&world.caller, document.clone(), Precondition::None, false)
        .await;
    assert!(matches!(native, Err(Error::Invalid(_))));
    let adapter = Caller {
        via: Via::Adapter,
        ..world.caller.clone()
    };
    documents
        .put(&adapter, document, Precondition::None, false)
        .await
        .unwrap();
    // What was not parsed but built is validated all the same.
    let spec = Instance::new(ServiceName::new("users").unwrap(), "", 0);
    let bad: Document = Object::new(Metadata::named(namespace(), "u1"), spec).into();
    let Err(Error::Invalid(problems)) = world.put(bad).await else {
        panic!()
    };
    let pointers: Vec<_> = problems
        .0
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    assert_eq!(pointers, ["/spec/host", "/spec/ports/0/port"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_goes_with_its_versions_and_not_before_its_instances() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    for n in 0..70 {
        world
            .seen(document(
                Kind::ServiceVersion,
                &format!("users/v{n}"),
                json!({}),
            ))
            .await;
    }
    let users = key(Kind::Service, "users");
    let documents = world.control.documents();
    let refused = documents
        .delete(&world.caller, &users, Precondition::None, false)
        .await;
    assert!(matches!(refused, Err(Error::Conflict(_))));
    world.delete(&key(Kind::Instance, "users/u1")).await;
    world.delete(&users).await;
    assert!(world.control.state().documents.is_empty());
    assert_eq!(
        world
            .store
            .engine()
            .range(
                &guildhall_store::Range::prefix("live/"),
                tokio::time::Instant::now().into_std()
            )
            .unwrap()
            .entries
            .len(),
        0
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_writes_answers_reads_and_recovers() {
    let world = World::new().await;
    let users = key(Kind::Instance, "users/u1");
    world
        .seen(checked(
            "users/u1",
            json!([{"type": "ttl", "ttl": "2s", "initialStatus": "passing"}]),
        ))
        .await;
    world.store.fill(true);
    let error = world.put(service("orders", json!({}))).await.unwrap_err();
    assert!(
        matches!(error, Error::ReadOnly(_)) && error.is_retryable(),
        "{error}"
    );
    assert!(world.control.documents().get(&world.caller, &users).is_ok());
    assert!(world.control.status().store.read_only.is_some());
    // What checks find meanwhile waits.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(
        world.health(&users),
        Some(guildhall_core::registry::Health::Healthy)
    );
    world.store.fill(false);
    world
        .until_health(&users, guildhall_core::registry::Health::Unhealthy)
        .await;
    world.seen(service("orders", json!({}))).await;
    let timeline = world
        .control
        .registry()
        .timeline(&world.caller, &users)
        .await
        .unwrap();
    assert_eq!(timeline.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn unconditional_writers_all_succeed() {
    let world = World::new().await;
    let control = Arc::new(world.control.clone());
    let tasks = (0..16).map(|n| {
        let (control, caller) = (Arc::clone(&control), world.caller.clone());
        tokio::spawn(async move {
            let document = service("users", json!({"description": n.to_string()}));
            control
                .documents()
                .put(&caller, document, Precondition::None, false)
                .await
                .unwrap()
        })
    });
    let mut created = 0;
    for task in tasks.collect::<Vec<_>>() {
        created += usize::from(soon(task).await.unwrap().created);
    }
    assert_eq!(created, 1);
}

#[tokio::test(start_paused = true)]
async fn a_route_says_what_became_of_it_whenever_it_is_read() {
    let world = World::new().await;
    let spec = json!({"rules": [{"backendRefs": [{"name": "users"}]}]});
    let route = document(Kind::HttpRoute, "users", spec);
    let conditions = |document: &Document| match document {
        Document::HttpRoute(route) => {
            let parents = &route.status.as_ref().unwrap().parents;
            let told = parents[0].conditions.iter();
            told.map(|told| {
                format!(
                    "{:?}={:?} {}",
                    told.condition_type, told.status, told.reason
                )
            })
            .collect::<Vec<_>>()
            .join(", ")
        }
        other => panic!("{other:?}"),
    };
    let written = world.seen(route).await;
    let lacking = conditions(&written.document);
    assert!(lacking.contains("BackendNotFound"), "{lacking}");
    let key = key(Kind::HttpRoute, "users");
    let read = || world.control.documents().get(&world.caller, &key).unwrap();
    assert_eq!(conditions(&read()), lacking);
    world.seen(instance("users/u1")).await;
    let found = conditions(&read());
    assert!(!found.contains("BackendNotFound"), "{found}");
    let query = ListQuery::new(Kind::HttpRoute, Some(namespace()));
    let listed = world
        .control
        .documents()
        .list(&world.caller, &query)
        .unwrap();
    assert_eq!(conditions(&listed.items[0]), found);
}
