//! One audit record per write.

use std::sync::{Arc, Mutex};

use guildhall_control::audit::{AuditRecord, AuditSink, FileSink, FileSinkOptions};
use guildhall_control::documents::Precondition;
use guildhall_core::access::Verb;
use guildhall_core::document::Kind;
use serde_json::json;

use crate::world::*;

#[derive(Default)]
struct Kept(Mutex<Vec<AuditRecord>>);

impl AuditSink for Kept {
    fn record(&self, record: AuditRecord) {
        self.0.lock().unwrap().push(record);
    }
}

#[tokio::test(start_paused = true)]
async fn every_write_leaves_one_record_and_reads_leave_none() {
    let sink = Arc::new(Kept::default());
    let mut options = options();
    options.audit = Some(Arc::clone(&sink) as Arc<dyn AuditSink>);
    let world = World::with(options).await;
    world.seen(instance("users/u1")).await;
    world.seen(instance("users/u1")).await;
    world
        .control
        .documents()
        .get(&world.caller, &key(Kind::Instance, "users/u1"))
        .unwrap();
    world
        .control
        .documents()
        .put(
            &world.caller,
            instance("users/u2"),
            Precondition::None,
            true,
        )
        .await
        .unwrap();
    let reader = caller("reader", &[(Verb::Read, None)]);
    world
        .control
        .documents()
        .put(&reader, instance("users/u3"), Precondition::None, false)
        .await
        .unwrap_err();
    world
        .control
        .registry()
        .maintenance(&world.caller, &key(Kind::Instance, "users/u1"), None)
        .await
        .unwrap();
    world.delete(&key(Kind::Instance, "users/u1")).await;
    let records = sink.0.lock().unwrap().clone();
    let lines: Vec<String> = records
        .iter()
        .map(|record| {
            format!(
                "{} {} {} {}",
                record.principal,
                record.action.word(),
                record.name.as_deref().unwrap_or("everything"),
                record.outcome.word()
            )
        })
        .collect();
    let expect = [
        "tester put users created",
        "tester put users/u1 created",
        "tester put users/u1 unchanged",
        "reader put users/u3 denied",
        "tester maintenance users/u1 unchanged",
        "tester delete users/u1 deleted",
    ];
    assert_eq!(lines, expect);
}

#[tokio::test]
async fn the_file_keeps_one_line_a_record_and_turns_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let sink = Arc::new(
        FileSink::open(FileSinkOptions {
            rotate_at: 2_000,
            keep: 2,
            ..FileSinkOptions::new(&path)
        })
        .unwrap(),
    );
    let mut options = options();
    options.audit = Some(Arc::clone(&sink) as Arc<dyn AuditSink>);
    let world = World::with(options.clone()).await;
    for n in 0..60 {
        world
            .put(service(&format!("s{n}"), json!({})))
            .await
            .unwrap();
    }
    world.control.stop().await;
    assert_eq!(world.control.status().audit_lost, 0);
    drop((world, options));
    until("the tasks are gone", || Arc::strong_count(&sink) == 1).await;
    drop(sink);
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]);
    let text = std::fs::read_to_string(&path).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["name"], &last["outcome"], &last["kind"]),
        (&json!("s59"), &json!("created"), &json!("Service"))
    );
    assert!(
        std::fs::metadata(folder.path().join("audit.jsonl.1"))
            .unwrap()
            .len()
            <= 2_000
    );
}
