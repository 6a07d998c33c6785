//! Figures, not promises: run them by hand in a release build.
//!
//! `cargo test --release -p guildhall-control --test it -- --ignored --nocapture --test-threads 1`

use std::sync::Arc;
use std::time::{Duration, Instant};

use guildhall_control::documents::Precondition;
use guildhall_control::watch::Scope;
use guildhall_control::{Control, Options};
use guildhall_core::document::Kind;
use guildhall_store::{Op, Store, Transaction};
use serde_json::json;

use crate::embedded::{open, start};
use crate::world::*;

/// Fills a store in one process and reads it in another, so that memory is that of reading alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures: run it in a release build"]
async fn load_100_000_instances() {
    const FOLDER: &str = "GUILDHALL_LOAD_FOLDER";
    if let Some(folder) = std::env::var_os(FOLDER) {
        return measure_load(std::path::Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    for batch in 0..1_000 {
        let ops = (0..100).map(|n| {
            let name = format!("service-{batch}/10.0.{batch}.{n}:8080");
            let mut document = document(Kind::Instance, &name, json!({
                "host": format!("10.0.{batch}.{n}"), "port": 8080, "zone": "z1", "version": "1.2.3",
                "tags": ["blue"], "metadata": {"pod": format!("pod-{n}")},
                "checks": [{"type": "ttl", "ttl": "30s"}],
            }));
            let at = Some(guildhall_core::document::Timestamp(1_795_445_161_123));
            let metadata = document.metadata_mut();
            (metadata.created_at, metadata.updated_at) = (at, at);
            metadata.updated_by = Some("tester".to_owned());
            let key = document.key().store_key(guildhall_core::document::KeyPart::Spec);
            Op::put(key, document.to_stored().unwrap())
        });
        store
            .commit(Transaction {
                then: ops.collect(),
                ..Transaction::default()
            })
            .await
            .unwrap();
    }
    drop(store);
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "--ignored",
            "--nocapture",
            "measure::load_100_000_instances",
        ])
        .env(FOLDER, folder.path());
    assert!(child.status().unwrap().success());
}

#[expect(clippy::print_stdout, reason = "the figures")]
async fn measure_load(folder: &std::path::Path) {
    let (empty, began) = (resident(), Instant::now());
    let store = open(folder).await;
    let (opened, with_store) = (began.elapsed(), resident());
    let (began, spent) = (Instant::now(), cpu());
    let control = Control::start(Arc::new(store), Options::default())
        .await
        .unwrap();
    let (loaded, spent) = (began.elapsed(), cpu() - spent);
    let with_state = resident();
    until("all are on the board", || {
        control.status().checks.instances == 100_000
    })
    .await;
    println!(
        "store open: {opened:?}, {} MiB; state: {loaded:?} (CPU {spent} ms), {} MiB; checks: {:?}, {} MiB",
        (with_store - empty) >> 20,
        (with_state - with_store) >> 20,
        began.elapsed() - loaded,
        (resident() - with_state) >> 20,
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

/// Time spent by the process, in milliseconds.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> = text
        .split_whitespace()
        .skip(13)
        .take(2)
        .flat_map(str::parse)
        .collect();
    fields.iter().sum::<u64>() * 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures: run it in a release build"]
async fn durable_registrations() {
    let folder = tempfile::tempdir().unwrap();
    let control = start(folder.path()).await;
    for clients in [1, 64, 512] {
        let (began, spent) = (Instant::now(), cpu());
        let each = 30_000 / (clients + 50);
        let tasks = (0..clients).map(|client| {
            let (control, caller) = (control.clone(), writer());
            tokio::spawn(async move {
                for n in 0..each {
                    let document =
                        instance(&format!("service-{}/i{clients}-{client}-{n}", n % 100));
                    let registry = control.registry();
                    registry
                        .register(&caller, document, Precondition::None, false)
                        .await
                        .unwrap();
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        let (took, done) = (began.elapsed(), clients * each);
        println!(
            "{clients} clients: {:.0} registrations/s, {:.1} µs CPU each",
            done as f64 / took.as_secs_f64(),
            (cpu() - spent) as f64 * 1e3 / done as f64,
        );
    }
    control.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures: run it in a release build"]
async fn a_change_to_10_000_watchers() {
    let folder = tempfile::tempdir().unwrap();
    let control = start(folder.path()).await;
    let caller = writer();
    let before = resident();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..10_000 {
        let mut watch = control
            .watch(&caller, Scope::service(namespace(), "users"), None)
            .await
            .unwrap();
        let told = told.clone();
        tokio::spawn(async move {
            while let Some(event) = watch.next().await {
                let rendered =
                    event.rendered(|| serde_json::to_vec(&event.document()).map(Into::into));
                if event.document().is_some() && rendered.is_ok() {
                    let _ = told.send(Instant::now());
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    println!(
        "{} bytes each, task included",
        (resident() - before) / 10_000
    );
    control
        .documents()
        .put(
            &caller,
            service("users", json!({})),
            Precondition::None,
            false,
        )
        .await
        .unwrap();
    for _ in 0..10_000 {
        heard.recv().await.unwrap();
    }
    for round in 0..5 {
        let (began, spent) = (Instant::now(), cpu());
        let document = service("users", json!({"description": round.to_string()}));
        control
            .documents()
            .put(&caller, document, Precondition::None, false)
            .await
            .unwrap();
        let mut last = began;
        for _ in 0..10_000 {
            last = heard.recv().await.unwrap();
        }
        println!(
            "from the write to the last of them: {:?}, CPU {} ms",
            last - began,
            cpu() - spent
        );
    }
    control.stop().await;
}
