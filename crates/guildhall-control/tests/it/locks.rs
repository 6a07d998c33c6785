//! Locks: one holder, a growing token, expiry.

use std::time::Duration;

use guildhall_control::Error;
use guildhall_control::watch::Scope;
use guildhall_core::document::{Document, Kind, Period};
use guildhall_core::registry::LockHolder;
use serde_json::json;

use crate::world::*;

const NOW: Duration = Duration::ZERO;

impl World {
    async fn acquire(&self, owner: &str, ttl: u64, wait: Duration) -> Result<LockHolder, Error> {
        let ttl = Some(Period::secs(ttl));
        self.control
            .locks()
            .acquire(&self.caller, &namespace(), "leader", owner, ttl, wait)
            .await
    }

    fn holder(&self) -> Option<LockHolder> {
        match self.control.state().get(&key(Kind::Lock, "leader"))? {
            Document::Lock(lock) => lock.status.clone()?.holder,
            _ => None,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_holds_it_and_the_token_only_grows() {
    let world = World::new().await;
    let a = world.acquire("a", 10, NOW).await.unwrap();
    let Err(Error::Held { holder, .. }) = world.acquire("b", 10, NOW).await else {
        panic!()
    };
    assert_eq!(*holder, a);
    until("it shows", || world.holder() == Some(a.clone())).await;
    let locks = world.control.locks();
    locks
        .release(&world.caller, &namespace(), "leader", a.token)
        .await
        .unwrap();
    let b = world.acquire("b", 10, NOW).await.unwrap();
    assert!(b.token > a.token);
    until("it shows", || {
        world.holder().is_some_and(|holder| holder.owner == "b")
    })
    .await;
    for token in [a.token, b.token + 1] {
        let renew = locks
            .renew(&world.caller, &namespace(), "leader", token)
            .await;
        assert!(matches!(renew, Err(Error::NotHeld { .. })));
        let release = locks
            .release(&world.caller, &namespace(), "leader", token)
            .await;
        assert!(matches!(release, Err(Error::NotHeld { .. })));
    }
    assert_eq!(
        world.control.status().store.leases,
        2,
        "this one's and the duty's"
    );
}

#[tokio::test(start_paused = true)]
async fn it_lasts_while_it_is_renewed_and_ends_with_its_ttl() {
    let world = World::new().await;
    let held = world.acquire("a", 5, NOW).await.unwrap();
    until("it shows", || world.holder().is_some()).await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        let renewed = world
            .control
            .locks()
            .renew(&world.caller, &namespace(), "leader", held.token)
            .await
            .unwrap();
        assert_eq!(renewed, held);
    }
    let took = until("it ends", || world.holder().is_none()).await;
    assert!(
        (Duration::from_secs(4)..Duration::from_secs(7)).contains(&took),
        "{took:?}"
    );
    let renew = world
        .control
        .locks()
        .renew(&world.caller, &namespace(), "leader", held.token)
        .await;
    assert!(matches!(renew, Err(Error::NotHeld { .. })));
    assert!(world.acquire("b", 5, NOW).await.unwrap().token > held.token);
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_it_when_it_is_free() {
    let world = World::new().await;
    let a = world.acquire("a", 60, NOW).await.unwrap();
    let began = tokio::time::Instant::now();
    let refused = world.acquire("b", 60, Duration::from_secs(3)).await;
    assert!(matches!(refused, Err(Error::Held { .. })));
    assert_eq!(began.elapsed(), Duration::from_secs(3));
    let locks = world.control.locks();
    let (waited, released) = tokio::join!(world.acquire("b", 60, Duration::from_secs(30)), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        locks
            .release(&world.caller, &namespace(), "leader", a.token)
            .await
            .unwrap()
    });
    let waited = waited.unwrap();
    assert!(waited.token > released.revision);
    assert_eq!(began.elapsed(), Duration::from_secs(5));
    // A holder that dies frees it too.
    let c = world
        .acquire("c", 60, Duration::from_secs(90))
        .await
        .unwrap();
    assert!(c.token > waited.token);
}

#[tokio::test(start_paused = true)]
async fn of_many_who_want_it_each_gets_it_once() {
    let world = World::new().await;
    let mut tasks = Vec::new();
    for n in 0..20 {
        let (control, caller) = (world.control.clone(), world.caller.clone());
        tasks.push(tokio::spawn(async move {
            let locks = control.locks();
            let owner = format!("owner-{n}");
            let wait = Duration::from_secs(60);
            let held = locks
                .acquire(&caller, &namespace(), "leader", &owner, None, wait)
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            locks
                .release(&caller, &namespace(), "leader", held.token)
                .await
                .unwrap();
            held.token
        }));
    }
    let mut tokens = Vec::new();
    for task in tasks {
        tokens.push(soon(task).await.unwrap());
    }
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_lock_says_how_long_and_deleting_it_takes_it_away() {
    let world = World::new().await;
    world
        .seen(document(Kind::Lock, "leader", json!({"ttl": "42s"})))
        .await;
    let locks = world.control.locks();
    let held = locks
        .acquire(&world.caller, &namespace(), "leader", "a", None, NOW)
        .await
        .unwrap();
    assert_eq!(held.ttl, Period::secs(42));
    let mut watch = world
        .control
        .watch(
            &world.caller,
            Scope::document(&key(Kind::Lock, "leader")),
            None,
        )
        .await
        .unwrap();
    up_to_bookmark(&mut watch).await;
    world.delete(&key(Kind::Lock, "leader")).await;
    assert!(matches!(
        locks
            .renew(&world.caller, &namespace(), "leader", held.token)
            .await,
        Err(Error::NotHeld { .. })
    ));
    for (name, owner, ttl) in [
        ("Leader", "a", None),
        ("leader", "", None),
        ("leader", "a", Some(Period::millis(1))),
    ] {
        let refused = locks
            .acquire(&world.caller, &namespace(), name, owner, ttl, NOW)
            .await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{name} {owner}");
    }
    let reader = caller("reader", &[(guildhall_core::access::Verb::Read, None)]);
    let refused = locks
        .acquire(&reader, &namespace(), "leader", "a", None, NOW)
        .await;
    assert!(matches!(refused, Err(Error::Denied(_))));
}

#[tokio::test(start_paused = true)]
async fn a_holder_stays_over_a_restart_with_a_fresh_deadline() {
    let world = World::new().await;
    let held = world.acquire("a", 5, NOW).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let world = world.restarted().await;
    assert_eq!(world.holder(), Some(held));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(world.holder().is_some());
    until("it ends", || world.holder().is_none()).await;
}
