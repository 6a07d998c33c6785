//! The engine as it is shipped, on a real disk.

use std::sync::Arc;

use guildhall_control::documents::Precondition;
use guildhall_control::{Control, Options};
use guildhall_core::document::Kind;
use guildhall_core::registry::Health;
use guildhall_store::embedded::{self, Embedded};
use serde_json::json;

use crate::world::*;

pub(crate) async fn start(folder: &std::path::Path) -> Control {
    Control::start(Arc::new(open(folder).await), Options::default())
        .await
        .unwrap()
}

/// Opens the store; one that was closed a moment ago may hold its lock a little longer.
pub(crate) async fn open(folder: &std::path::Path) -> Embedded {
    for _ in 0..1_000 {
        match Embedded::open(folder, embedded::Options::default()) {
            Err(embedded::OpenError::Disk(_)) => {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await
            }
            opened => return opened.unwrap(),
        }
    }
    panic!("the store stays locked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registrations_and_health_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let caller = writer();
    let u1 = key(Kind::Instance, "users/u1");
    let health = |control: &Control| match control.state().get(&u1) {
        Some(guildhall_core::document::Document::Instance(instance)) => {
            instance.status.clone().map(|s| s.health)
        }
        _ => None,
    };
    {
        let control = start(folder.path()).await;
        let document = checked("users/u1", json!([{"type": "ttl", "ttl": "1h"}]));
        control
            .documents()
            .put(&caller, document, Precondition::None, false)
            .await
            .unwrap();
        control.registry().heartbeat(&caller, &u1).await.unwrap();
        until("healthy", || health(&control) == Some(Health::Healthy)).await;
        control.stop().await;
    }
    let control = start(folder.path()).await;
    assert_eq!(health(&control), Some(Health::Healthy));
    assert!(control.status().on_duty);
    control.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_write_at_once_and_everybody_reads_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let control = start(folder.path()).await;
    let mut tasks = Vec::new();
    for task in 0..16 {
        let (control, caller) = (control.clone(), writer());
        tasks.push(tokio::spawn(async move {
            for n in 0..25 {
                let name = format!("s{}/i{task}-{n}", n % 5);
                let none = Precondition::None;
                let written = control
                    .documents()
                    .put(&caller, instance(&name), none, false)
                    .await
                    .unwrap();
                let state = control.wait_for(written.index).await.unwrap();
                assert!(state.get(&key(Kind::Instance, &name)).is_some());
            }
        }));
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
    assert_eq!(control.state().catalog.instances(), 400);
    control.stop().await;
}
