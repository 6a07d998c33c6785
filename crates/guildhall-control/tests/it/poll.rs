//! Long polls: when they answer, and with which index.

use std::time::Duration;

use guildhall_control::watch::{Kinds, Polled, Scope};
use guildhall_core::document::{Index, Kind};
use serde_json::json;

use crate::world::*;

const WAIT: Duration = Duration::from_secs(30);

impl World {
    async fn poll(&self, scope: &Scope, since: Option<Index>) -> Polled {
        self.control
            .changed(&self.caller, scope, since, WAIT)
            .await
            .unwrap()
    }

    /// How long a poll took.
    async fn timed(&self, scope: &Scope, since: Option<Index>) -> (Polled, Duration) {
        let began = tokio::time::Instant::now();
        let polled = self.poll(scope, since).await;
        (polled, began.elapsed())
    }
}

fn users() -> Scope {
    Scope::service(namespace(), "users")
}

#[tokio::test(start_paused = true)]
async fn without_an_index_it_answers_at_once_and_never_with_0() {
    let world = World::new().await;
    let document = Scope::document(&key(Kind::Lock, "none"));
    for scope in [
        users(),
        Scope::all(),
        document,
        Scope::kinds(Kinds::of(&[Kind::Gateway])),
    ] {
        let (polled, took) = world.timed(&scope, None).await;
        assert_eq!((polled.changed, took), (true, Duration::ZERO));
        assert!(polled.index.revision >= 1, "{scope:?}");
        let (polled, took) = world.timed(&scope, Some(polled.index)).await;
        assert_eq!((polled.changed, took), (false, WAIT), "{scope:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_in_scope_wakes_it_and_another_does_not() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    let since = world.poll(&users(), None).await.index;
    let control = world.control.clone();
    let caller = world.caller.clone();
    let waiting = tokio::spawn(async move {
        control
            .changed(&caller, &users(), Some(since), WAIT)
            .await
            .unwrap()
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.seen(instance("orders/o1")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    // A deletion counts.
    let index = world.delete(&key(Kind::Instance, "users/u1")).await;
    let polled = soon(waiting).await.unwrap();
    assert_eq!((polled.changed, polled.index), (true, index));
    assert_eq!(polled.state.catalog.instances(), 1);
    let (polled, took) = world.timed(&users(), Some(since)).await;
    assert_eq!((polled.index, took), (index, Duration::ZERO));
    assert_eq!(
        world.control.status().watches.watchers,
        2,
        "the platform's own"
    );
}

#[tokio::test(start_paused = true)]
async fn the_index_of_a_service_that_is_gone_stays() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    world.delete(&key(Kind::Instance, "users/u1")).await;
    let gone = world.delete(&key(Kind::Service, "users")).await;
    world.seen(instance("orders/o1")).await;
    assert_eq!(world.poll(&users(), None).await.index, gone);
}

#[tokio::test(start_paused = true)]
async fn an_index_never_goes_backwards_over_a_restart() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    world.seen(document(Kind::Lock, "leader", json!({}))).await;
    let last = world.delete(&key(Kind::Lock, "leader")).await;
    let scopes = [
        users(),
        Scope::all(),
        Scope::document(&key(Kind::Lock, "leader")),
    ];
    let mut before = Vec::new();
    for scope in &scopes {
        before.push(world.poll(scope, None).await.index);
    }
    assert_eq!(before[2], last);
    let world = world.restarted().await;
    for (scope, before) in scopes.iter().zip(before) {
        let after = world.poll(scope, None).await.index;
        assert!(after.covers(before), "{scope:?}: {before} → {after}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_index_above_the_current_or_of_another_incarnation_answers_at_once() {
    let world = World::new().await;
    let index = world.seen(instance("users/u1")).await.index;
    for since in [
        Index {
            revision: index.revision + 50,
            ..index
        },
        Index {
            incarnation: 7,
            ..index
        },
    ] {
        let (polled, took) = world.timed(&users(), Some(since)).await;
        assert_eq!((polled.changed, took), (true, Duration::ZERO), "{since}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_own_write_that_the_view_has_not_seen_is_waited_for() {
    let world = World::new().await;
    let index = world.put(instance("users/u1")).await.unwrap().index;
    let polled = world
        .control
        .changed(&world.caller, &users(), Some(index), Duration::from_secs(1))
        .await
        .unwrap();
    assert_eq!((polled.changed, polled.index), (false, index));
}

#[tokio::test(start_paused = true)]
async fn a_document_has_an_index_of_its_own() {
    let world = World::new().await;
    let instances = ["users/u1", "users/u2"];
    for name in instances {
        world
            .seen(checked(name, json!([{"type": "ttl", "ttl": "1h"}])))
            .await;
    }
    let [one, two] = instances.map(|name| key(Kind::Instance, name));
    let since = world.poll(&Scope::document(&one), None).await.index;
    world
        .control
        .registry()
        .heartbeat(&world.caller, &two)
        .await
        .unwrap();
    world
        .until_health(&two, guildhall_core::registry::Health::Healthy)
        .await;
    assert_eq!(world.poll(&Scope::document(&one), None).await.index, since);
    let other = world.poll(&Scope::document(&two), None).await.index;
    assert!(other.revision > since.revision, "a status counts");
    let gone = world.delete(&one).await;
    assert_eq!(
        world.poll(&Scope::document(&one), Some(since)).await.index,
        gone
    );
}
