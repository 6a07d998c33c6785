//! Subscriptions: what they are told, whom a change wakes, and what happens to the slow.

use std::convert::Infallible;
use std::task::{Context, Poll, Waker};

use guildhall_control::Error;
use guildhall_control::documents::Precondition;
use guildhall_control::watch::{EventKind, Kinds, Scope, Subscription};
use guildhall_core::access::Verb;
use guildhall_core::document::{Index, Kind, Namespace};
use guildhall_core::registry::Query;
use serde_json::json;

use crate::world::*;

impl World {
    async fn watch(&self, scope: Scope, from: Option<Index>) -> Subscription {
        self.control.watch(&self.caller, scope, from).await.unwrap()
    }
}

fn users() -> Scope {
    Scope::service(namespace(), "users")
}

#[tokio::test(start_paused = true)]
async fn all_state_comes_first_then_a_bookmark_then_changes() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    let mut watch = world.watch(Scope::all(), None).await;
    assert_eq!(told(&mut watch).await, "added users");
    assert_eq!(told(&mut watch).await, "added users/u1");
    let bookmark = event(&mut watch).await;
    assert_eq!(
        (bookmark.kind(), bookmark.index()),
        (EventKind::Bookmark, Some(world.control.state().index))
    );
    world
        .seen(document(
            Kind::Instance,
            "users/u1",
            json!({"host": "other", "port": 1}),
        ))
        .await;
    world.delete(&key(Kind::Instance, "users/u1")).await;
    assert_eq!(told(&mut watch).await, "modified users/u1");
    let gone = event(&mut watch).await;
    assert_eq!(short(&gone), "deleted users/u1");
    let data = serde_json::to_string(gone.document().unwrap()).unwrap();
    assert!(
        data.contains(r#""kind":"Instance""#) && data.contains(r#""host":"other""#),
        "{data}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_index_stands_on_the_last_event_of_a_revision_only() {
    let world = World::new().await;
    let mut watch = world.watch(Scope::all(), None).await;
    up_to_bookmark(&mut watch).await;
    let version = document(Kind::ServiceVersion, "users/v1", json!({}));
    let registry = world.control.registry();
    let written = registry
        .put_service(
            &world.caller,
            service("users", json!({})),
            Some(version),
            Precondition::None,
            false,
        )
        .await
        .unwrap();
    let (first, second) = (event(&mut watch).await, event(&mut watch).await);
    assert_eq!(
        [short(&first), short(&second)],
        ["added users", "added users/v1"]
    );
    assert_eq!(
        (first.index(), second.index()),
        (None, Some(written.service.index))
    );
    // One who watches versions alone is told the index with the only event it gets.
    let from = Index {
        revision: written.service.index.revision - 1,
        ..written.service.index
    };
    let mut versions = world
        .watch(Scope::kinds(Kinds::of(&[Kind::ServiceVersion])), Some(from))
        .await;
    assert_eq!(
        event(&mut versions).await.index(),
        Some(written.service.index)
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_to_one_service_wakes_only_its_watchers() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    world.seen(instance("orders/o1")).await;
    let mut idle = Vec::new();
    for n in 0..10_000 {
        let scope = Scope::service(namespace(), format!("service-{n}"));
        let mut watch = world.watch(scope, None).await;
        up_to_bookmark(&mut watch).await;
        idle.push(watch);
    }
    let mut watches = Vec::new();
    for scope in [
        users(),
        Scope::all(),
        Scope::kinds(Kinds::of(&[Kind::Instance])).in_namespace(namespace()),
        Scope::document(&key(Kind::Instance, "users/u1")),
        Scope::service(namespace(), "orders"),
        Scope::kinds(Kinds::of(&[Kind::Lock])).in_namespace(namespace()),
        Scope::document(&key(Kind::Instance, "users/u2")),
    ] {
        let mut watch = world.watch(scope, None).await;
        up_to_bookmark(&mut watch).await;
        watches.push(watch);
    }
    // Everybody waits, so that whoever is woken counts.
    let mut context = Context::from_waker(Waker::noop());
    for watch in idle.iter_mut().chain(&mut watches) {
        assert!(watch.poll_next(&mut context).is_pending());
    }
    let before = world.control.status().watches;
    world
        .seen(document(
            Kind::Instance,
            "users/u1",
            json!({"host": "b", "port": 1}),
        ))
        .await;
    let after = world.control.status().watches;
    // The four that hold it, the platform's own checker, and the judges of gray releases.
    assert_eq!(after.wakeups - before.wakeups, 6);
    let concerned: Vec<bool> = watches
        .iter_mut()
        .map(|watch| watch.poll_next(&mut context).is_ready())
        .collect();
    assert_eq!(concerned, [true, true, true, true, false, false, false]);
    assert!(
        idle.iter_mut()
            .all(|watch| watch.poll_next(&mut context).is_pending())
    );
    drop((idle, watches));
    assert_eq!(
        world.control.status().watches.watchers,
        2,
        "the platform's own"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_to_resynchronise_with_all_there_is() {
    let mut options = options();
    options.watch.queue = 4;
    let world = World::with(options).await;
    let mut slow = world.watch(users(), None).await;
    let mut quick = world.watch(users(), None).await;
    up_to_bookmark(&mut slow).await;
    up_to_bookmark(&mut quick).await;
    for n in 0..6 {
        world.seen(instance(&format!("users/u{n}"))).await;
        if n == 0 {
            assert_eq!(told(&mut quick).await, "added users");
        }
        assert_eq!(told(&mut quick).await, format!("added users/u{n}"));
    }
    world.delete(&key(Kind::Instance, "users/u0")).await;
    assert_eq!(told(&mut slow).await, "resync");
    let state = up_to_bookmark(&mut slow).await;
    assert_eq!(state[0], "added users");
    assert_eq!(
        state[1..],
        (1..6)
            .map(|n| format!("added users/u{n}"))
            .collect::<Vec<_>>()
    );
    world.seen(instance("users/u9")).await;
    assert_eq!(told(&mut slow).await, "added users/u9");
    assert_eq!(world.control.status().watches.resyncs, 1);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_resumes_where_it_stood_while_the_history_reaches() {
    let mut options = options();
    options.watch.history = 4;
    let world = World::with(options).await;
    let first = world.seen(instance("users/u1")).await.index;
    world.seen(instance("orders/o1")).await;
    let last = world.delete(&key(Kind::Instance, "users/u1")).await;
    let mut resumed = world.watch(users(), Some(first)).await;
    assert_eq!(told(&mut resumed).await, "deleted users/u1");
    assert!(silent(&mut resumed).await);
    let mut current = world.watch(users(), Some(last)).await;
    assert!(silent(&mut current).await);
    for n in 0..4 {
        world.seen(instance(&format!("orders/x{n}"))).await;
    }
    let mut late = world.watch(users(), Some(first)).await;
    assert_eq!(told(&mut late).await, "resync");
    assert_eq!(up_to_bookmark(&mut late).await, ["added users"]);
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_history_or_of_the_future_is_no_place_to_resume() {
    let world = World::new().await;
    let index = world.seen(instance("users/u1")).await.index;
    for from in [
        Index {
            incarnation: 9,
            ..index
        },
        Index {
            revision: index.revision + 100,
            ..index
        },
    ] {
        let mut watch = world.watch(users(), Some(from)).await;
        assert_eq!(told(&mut watch).await, "resync", "{from}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_the_place_of_a_watcher_that_missed_nothing() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    let world = world.restarted().await;
    let index = world.control.state().index;
    let mut watch = world.watch(users(), Some(index)).await;
    world.seen(instance("users/u2")).await;
    assert_eq!(told(&mut watch).await, "added users/u2");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_a_selector_is_deleted_and_who_enters_is_added() {
    let world = World::new().await;
    let lock = |tier: &str| labelled(Kind::Lock, "leader", json!({}), json!({"tier": tier}));
    let scope = Scope::kinds(Kinds::of(&[Kind::Lock])).selected("tier=web".parse().unwrap());
    world.seen(lock("db")).await;
    let mut watch = world.watch(scope, None).await;
    assert_eq!(up_to_bookmark(&mut watch).await, [""; 0]);
    world.seen(lock("web")).await;
    assert_eq!(told(&mut watch).await, "added leader");
    world
        .seen(labelled(
            Kind::Lock,
            "leader",
            json!({"description": "d"}),
            json!({"tier": "web"}),
        ))
        .await;
    assert_eq!(told(&mut watch).await, "modified leader");
    world.seen(lock("db")).await;
    assert_eq!(told(&mut watch).await, "deleted leader");
    world.delete(&key(Kind::Lock, "leader")).await;
    assert!(silent(&mut watch).await);
}

#[tokio::test(start_paused = true)]
async fn a_caller_sees_what_it_may_read() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    let shop = caller("shop", &[(Verb::Read, Some("shop"))]);
    let refused = world.control.watch(&shop, users(), None).await;
    assert!(matches!(refused, Err(Error::Denied(_))));
    let mut watch = world
        .control
        .watch(&shop, Scope::all(), None)
        .await
        .unwrap();
    assert_eq!(up_to_bookmark(&mut watch).await, [""; 0]);
    let shop = Namespace::new("shop").unwrap();
    let mut lock = document(Kind::Lock, "leader", json!({}));
    lock.metadata_mut().namespace = shop;
    world.seen(instance("users/u2")).await;
    world.seen(lock).await;
    assert_eq!(told(&mut watch).await, "added leader");
    let nobody = caller("nobody", &[]);
    assert!(matches!(
        world.control.watch(&nobody, Scope::all(), None).await,
        Err(Error::Denied(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn an_event_is_rendered_once_for_all_who_are_told() {
    let world = World::new().await;
    world.seen(service("users", json!({}))).await;
    let mut watches = Vec::new();
    for scope in [users(), users().selected("team=a".parse().unwrap())] {
        for _ in 0..3 {
            let mut watch = world.watch(scope.clone(), None).await;
            up_to_bookmark(&mut watch).await;
            watches.push(watch);
        }
    }
    let labels = json!({"team": "a"});
    world
        .seen(labelled(Kind::Service, "users", json!({}), labels))
        .await;
    let mut rendered = 0;
    for watch in &mut watches {
        let event = event(watch).await;
        let word = event.kind().word();
        let bytes = event.rendered(|| {
            rendered += 1;
            Ok::<_, Infallible>(word.into())
        });
        assert_eq!(bytes, Ok(word.into()));
    }
    assert_eq!(rendered, 2, "modified for some, added for the others");
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_added_and_deleted_as_a_query_finds_it() {
    let world = World::new().await;
    let query = Query {
        zone: Some("z1".to_owned()),
        ..Query::all()
    };
    let in_zone = |zone: &str, port: u16| {
        let spec = json!({"host": "h", "port": port, "zone": zone});
        document(Kind::Instance, "users/u1", spec)
    };
    let mut watch = world.watch(users().finding(&query), None).await;
    up_to_bookmark(&mut watch).await;
    for (zone, port, said) in [
        ("z2", 1, "added users"),
        ("z1", 1, "added users/u1"),
        ("z1", 2, "modified users/u1"),
        ("z3", 2, "deleted users/u1"),
    ] {
        world.seen(in_zone(zone, port)).await;
        assert_eq!(told(&mut watch).await, said);
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_watcher_learns_how_far_it_is() {
    let world = World::new().await;
    let mut watch = world.watch(users(), None).await;
    up_to_bookmark(&mut watch).await;
    assert!(watch.bookmark().is_none());
    let index = world.seen(instance("orders/o1")).await.index;
    assert_eq!(
        watch.bookmark().and_then(|bookmark| bookmark.index()),
        Some(index)
    );
    assert!(watch.bookmark().is_none());
    world.seen(instance("users/u1")).await;
    assert!(watch.bookmark().is_none(), "events wait");
}

#[tokio::test(start_paused = true)]
async fn watches_end_with_the_control_plane_and_are_bounded() {
    let mut options = options();
    options.watch.watchers = 3;
    let world = World::with(options).await;
    let mut watch = world.watch(users(), None).await;
    let refused = world.control.watch(&world.caller, users(), None).await;
    assert!(matches!(refused, Err(Error::TooManyWatchers { most: 3 })));
    up_to_bookmark(&mut watch).await;
    world.control.stop().await;
    assert!(soon(watch.next()).await.is_none());
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(watch.poll_next(&mut context), Poll::Ready(None)));
}
