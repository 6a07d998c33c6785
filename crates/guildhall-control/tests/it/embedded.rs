//! The engine as it is shipped, on a real disk.

use std::sync::Arc;

use guildhall_control::documents::Precondition;
use guildhall_control::{Control, Options};
use guildhall_core::document::Kind;
use guildhall_core::registry::Health;
use guildhall_store::embedded::{self, Embedded};
use guildhall_store::{Op, Store, Transaction};
use serde_json::json;

use crate::world::*;

async fn start(folder: &std::path::Path) -> Control {
    let store = Embedded::open(folder, embedded::Options::default()).unwrap();
    Control::start(Arc::new(store), Options::default())
        .await
        .unwrap()
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

/// `cargo test --release -p guildhall-control -- --ignored --nocapture load`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures: run it in a release build"]
async fn load_100_000_instances() {
    let folder = tempfile::tempdir().unwrap();
    {
        let store = Embedded::open(folder.path(), embedded::Options::default()).unwrap();
        for batch in 0..1_000 {
            let ops = (0..100).map(|n| {
                let name = format!("service-{}/10.0.{}.{}:8080", batch % 1_000, batch, n);
                let spec = json!({"host": format!("10.0.{batch}.{n}"), "port": 8080, "zone": "z1", "version": "1.2.3",
                    "tags": ["blue"], "metadata": {"pod": format!("pod-{n}")}, "checks": [{"type": "ttl", "ttl": "30s"}]});
                let mut document = document(Kind::Instance, &name, spec);
                document.metadata_mut().updated_by = Some("tester".to_owned());
                document.metadata_mut().created_at = Some(guildhall_core::document::Timestamp(1_795_445_161_123));
                document.metadata_mut().updated_at = Some(guildhall_core::document::Timestamp(1_795_445_161_123));
                Op::put(document.key().store_key(guildhall_core::document::KeyPart::Spec), document.to_stored().unwrap())
            });
            store
                .commit(Transaction {
                    compare: Vec::new(),
                    then: ops.collect(),
                })
                .await
                .unwrap();
        }
    }
    let before = resident();
    let began = std::time::Instant::now();
    let store = Embedded::open(folder.path(), embedded::Options::default()).unwrap();
    let (opened, with_store) = (began.elapsed(), resident());
    let began = std::time::Instant::now();
    let control = Control::start(Arc::new(store), Options::default())
        .await
        .unwrap();
    let loaded = began.elapsed();
    until("all are on the board", || {
        control.status().checks.instances == 100_000
    })
    .await;
    let boarded = began.elapsed();
    println!(
        "store opened in {opened:?} ({} MiB), control in {loaded:?}, checks in {boarded:?} ({} MiB more)",
        (with_store - before) >> 20,
        (resident() - with_store) >> 20,
    );
    assert_eq!(control.state().catalog.instances(), 100_000);
    control.stop().await;
}

/// Resident memory in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok())
        .unwrap_or(0)
        * 4096
}
