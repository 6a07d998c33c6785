//! The source of a gateway in the same process.

use guildhall_core::document::Kind;
use guildhall_core::registry::Catalog;
use guildhall_core::source::{Change, SnapshotSource, Update};
use guildhall_store::WatchError;
use serde_json::json;

use crate::world::*;

#[tokio::test(start_paused = true)]
async fn first_everything_then_deltas_and_everything_again_after_a_gap() {
    let world = World::new().await;
    world.seen(instance("users/u1")).await;
    let mut source = world.control.source().unwrap();
    let Some(Update::Full { index, documents }) = soon(source.next()).await else {
        panic!()
    };
    assert_eq!(
        (index, documents.len()),
        (Some(world.control.state().index), 2)
    );
    let last = {
        world.seen(instance("users/u2")).await;
        world.seen(service("orders", json!({}))).await;
        world.delete(&key(Kind::Instance, "users/u1")).await
    };
    let Some(Update::Delta { index, changes }) = soon(source.next()).await else {
        panic!()
    };
    assert_eq!((index, changes.len()), (last, 3));
    assert_eq!(changes[2], Change::Deleted(key(Kind::Instance, "users/u1")));
    world.store.break_watches(WatchError::Overflow);
    let Some(Update::Full { documents, .. }) = soon(source.next()).await else {
        panic!()
    };
    assert_eq!(documents.len(), 3);
    world.control.stop().await;
    assert!(soon(source.next()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn whoever_folds_the_updates_has_the_same_catalog() {
    let world = World::new().await;
    let mut source = world.control.source().unwrap();
    let Some(Update::Full { documents, .. }) = soon(source.next()).await else {
        panic!()
    };
    let mut catalog = Catalog::load(&documents, 0);
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..300 {
        let name = format!("s{}/i{}", random.u8(..4), random.u8(..6));
        if random.bool() {
            world
                .put(document(
                    Kind::Instance,
                    &name,
                    json!({"host": "h", "port": random.u16(1..)}),
                ))
                .await
                .unwrap();
        } else {
            let key = key(Kind::Instance, &name);
            let none = guildhall_control::documents::Precondition::None;
            let _ = world
                .control
                .documents()
                .delete(&world.caller, &key, none, false)
                .await;
        }
    }
    let target = guildhall_store::Store::index(&*world.store);
    let state = world.control.wait_for(target).await.unwrap();
    while catalog.revision() < target.revision {
        let Some(Update::Delta { index, changes }) = soon(source.next()).await else {
            panic!()
        };
        for change in &changes {
            catalog.apply(change, index.revision);
        }
    }
    let names = |catalog: &Catalog| -> Vec<String> {
        let services = catalog.services(None);
        services
            .flat_map(|entry| {
                entry
                    .instances
                    .values()
                    .map(|instance| format!("{:?}", instance))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    assert_eq!(names(&catalog), names(&state.catalog));
}
