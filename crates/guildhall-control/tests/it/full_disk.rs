//! A disk that is full while policies are written: nothing is half done, what is in force stays, and there is no restart.

use guildhall_control::Error;
use guildhall_core::document::{Document, DocumentKey, Kind};
use guildhall_core::source::{Change, SnapshotSource, Update};
use serde_json::json;

use crate::world::*;

fn policy(timeout: &str) -> Document {
    let spec = json!({
        "targetRefs": [{"kind": "Service", "name": "users"}],
        "timeouts": {"request": timeout},
        // So much that no page that is there already has room for it.
        "rateLimit": {"rules": [{
            "name": "all", "requests": 1, "period": "1h", "key": {"type": "Header", "name": "x".repeat(5000)},
        }]},
    });
    document(Kind::Policy, "calm", spec)
}

fn calm() -> DocumentKey {
    key(Kind::Policy, "calm")
}

impl World {
    /// What the policy says, to whom everybody listens.
    fn in_force(&self) -> String {
        let state = self.control.state();
        let value = serde_json::to_value(state.get(&calm()).unwrap()).unwrap();
        value["spec"]["timeouts"]["request"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn versions_of_calm(&self) -> usize {
        let history = self.control.history();
        let listed = history.list(&self.caller, &calm(), None, 500).await;
        listed.unwrap().versions.len()
    }
}

#[tokio::test(start_paused = true)]
async fn policies_in_force_stay_and_writes_go_on_once_there_is_space() {
    let world = World::new().await;
    world.seen(policy("1s")).await;
    let mut source = world.control.source().unwrap();
    assert!(matches!(
        soon(source.next()).await,
        Some(Update::Full { .. })
    ));
    let before = world.control.state().index;

    world.store.fill_disk(true);
    for _ in 0..2 {
        let refused = world.put(policy("2s")).await.unwrap_err();
        assert!(refused.is_retryable(), "{refused}");
        assert!(
            matches!(&refused, Error::ReadOnly(_)) && refused.to_string().contains("space"),
            "{refused}"
        );
    }
    let removed = world.control.documents();
    let removed = removed
        .delete(
            &world.caller,
            &calm(),
            guildhall_control::documents::Precondition::None,
            false,
        )
        .await;
    assert!(matches!(removed, Err(Error::ReadOnly(_))));
    assert_eq!(
        (world.in_force().as_str(), world.versions_of_calm().await),
        ("1s", 1)
    );
    assert_eq!(world.control.state().index, before);

    world.store.fill_disk(false);
    until("the store has noticed", || {
        world.control.status().store.read_only.is_none()
    })
    .await;
    world.seen(policy("3s")).await;
    assert_eq!(
        (world.in_force().as_str(), world.versions_of_calm().await),
        ("3s", 2)
    );
    // Whoever follows was told of that, and of nothing that was refused.
    let Some(Update::Delta { changes, .. }) = soon(source.next()).await else {
        panic!("no change")
    };
    let told: Vec<_> = changes
        .iter()
        .filter(|change| matches!(change, Change::Put(document) if document.key() == calm()))
        .collect();
    assert_eq!((told.len(), changes.len()), (1, 1), "{changes:?}");

    let world = world.restarted().await;
    assert_eq!(
        (world.in_force().as_str(), world.versions_of_calm().await),
        ("3s", 2)
    );
}
