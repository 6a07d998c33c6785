//! Files of configuration: releases, what they come to, and who is told.

use std::sync::Arc;

use bytes::Bytes;
use guildhall_control::Error;
use guildhall_control::config::{Effective, EffectiveQuery, EffectiveWatch};
use guildhall_control::documents::{Precondition, WriteOptions, Written};
use guildhall_core::access::Verb;
use guildhall_core::config::seal::Sight;
use guildhall_core::document::{Document, DocumentKey, Kind};
use guildhall_store::Store;
use serde_json::{Value, json};

use crate::world::*;

const APP: &str = "users/prod/app.yaml";

fn file(name: &str) -> DocumentKey {
    key(Kind::Config, name)
}

fn query(name: &str) -> EffectiveQuery {
    EffectiveQuery {
        key: file(name),
        reader: None,
        sight: Sight::Masked,
    }
}

fn text(found: &Effective) -> &str {
    std::str::from_utf8(&found.content).unwrap()
}

/// Which versions it is made of.
fn made_of(found: &Effective) -> Vec<String> {
    let inputs = found.inputs.iter();
    inputs
        .map(|input| format!("{}@{}", input.config, input.version))
        .collect()
}

impl World {
    async fn release(&self, name: &str, content: &str) -> Result<Written, Error> {
        let options = WriteOptions::default();
        self.release_with(name, content, options).await
    }

    async fn release_with(
        &self,
        name: &str,
        content: &str,
        options: WriteOptions,
    ) -> Result<Written, Error> {
        let content = Bytes::from(content.to_owned());
        let configs = self.control.configs();
        let written = configs
            .release(&self.caller, &file(name), content, None, options)
            .await?;
        self.control.wait_for(written.index).await?;
        Ok(written)
    }

    async fn content(&self, name: &str) -> String {
        let live = self.control.documents().get(&self.caller, &file(name));
        let Ok(Document::Config(config)) = live else {
            panic!("{name} is not there: {live:?}");
        };
        let configs = self.control.configs();
        let content = configs.content(&self.caller, &config, Sight::Masked).await;
        String::from_utf8(content.unwrap().bytes.to_vec()).unwrap()
    }

    async fn effective(&self, name: &str) -> Result<Arc<Effective>, Error> {
        let configs = self.control.configs();
        configs.effective(&self.caller, &query(name)).await
    }

    fn watch_file(&self, name: &str, known: Option<&str>) -> EffectiveWatch {
        let configs = self.control.configs();
        configs.watch(&self.caller, query(name), known).unwrap()
    }
}

fn spec(written: &Written) -> Value {
    serde_json::to_value(&written.document).unwrap()["spec"].clone()
}

#[tokio::test]
async fn a_release_keeps_its_content_as_it_was_written() {
    let world = World::new().await;
    let content = "# how many\npool:\n    size: 8   # not 9\n";
    let written = world.release(APP, content).await.unwrap();
    assert_eq!(written.document.metadata().version, 1);
    let said = spec(&written);
    assert_eq!(
        (&said["format"], &said["size"]),
        (&json!("yaml"), &json!(content.len()))
    );
    assert!(said.get("content").is_none(), "{said}");
    assert_eq!(world.content(APP).await, content);
    let again = world.release(APP, content).await.unwrap();
    assert!(!again.changed, "the same content is no release");

    let world = world.restarted().await;
    assert_eq!(world.content(APP).await, content, "after a kill");
    let second = world.release(APP, "pool: {size: 9}\n").await.unwrap();
    assert_eq!(second.document.metadata().version, 2);
    let back = world
        .control
        .history()
        .rollback(
            &world.caller,
            &file(APP),
            &1.into(),
            WriteOptions::default(),
        )
        .await
        .unwrap();
    assert_eq!(back.document.metadata().version, 3);
    world.control.wait_for(back.index).await.unwrap();
    assert_eq!(world.content(APP).await, content, "to the first one, too");
}

#[tokio::test]
async fn a_content_may_stand_in_the_document_or_be_named() {
    let world = World::new().await;
    let put = async |name: &str, spec: Value| {
        let written = world.put(document(Kind::Config, name, spec)).await?;
        world.control.wait_for(written.index).await?;
        Ok::<_, Error>(written)
    };
    let first = put("a/prod/x", json!({"content": "k = 1\n", "format": "toml"}))
        .await
        .unwrap();
    let hash = spec(&first)["contentHash"].clone();
    assert_eq!(world.content("a/prod/x").await, "k = 1\n");
    let base64 = put("a/prod/y.bin", json!({"contentBase64": "//4A\n"}))
        .await
        .unwrap();
    assert_eq!(
        (&spec(&base64)["format"], &spec(&base64)["size"]),
        (&json!("binary"), &json!(3))
    );
    put("b/prod/x", json!({"contentHash": hash, "format": "toml"}))
        .await
        .unwrap();
    assert_eq!(world.content("b/prod/x").await, "k = 1\n");

    // Labels change, the content stays.
    let mut labelled = document(Kind::Config, "a/prod/x", json!({}));
    labelled
        .metadata_mut()
        .labels
        .insert("team".into(), "users".into());
    let written = world.seen(labelled).await;
    assert_eq!(spec(&written), spec(&first));
    assert_eq!(written.document.metadata().version, 2);

    for (name, spec, expect) in [
        (
            "a/prod/new",
            json!({}),
            "/spec/content: what is new needs its content",
        ),
        (
            "a/prod/x",
            json!({"content": "k = ", "format": "toml"}),
            "/spec/content: not toml: line 1, column",
        ),
        (
            "a/prod/j.json",
            json!({"content": "{\"a\": 1,\n \"a\": 2}"}),
            "line 2, column 2",
        ),
        (
            "a/prod/x",
            json!({"contentBase64": "?"}),
            "/spec/contentBase64: not Base64",
        ),
        (
            "a/prod/x",
            json!({"contentHash": "0".repeat(64)}),
            "/spec/contentHash: the platform has no such content",
        ),
        (
            "a/prod/big",
            json!({"content": "x".repeat((1 << 20) + 1)}),
            "at most 1048576 bytes",
        ),
    ] {
        let error = put(name, spec).await.unwrap_err().to_string();
        assert!(error.contains(expect), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_dry_run_and_a_stale_write_leave_everything_as_it_is() {
    let world = World::new().await;
    let first = world.release(APP, "a: 1\n").await.unwrap();
    let tried = WriteOptions {
        dry_run: true,
        ..WriteOptions::default()
    };
    let would_be = world.release_with(APP, "a: 2\n", tried).await.unwrap();
    assert_eq!(would_be.document.metadata().version, 2);
    let stale = |revision| WriteOptions {
        precondition: Precondition::Revision(revision),
        ..WriteOptions::default()
    };
    let revision = first.document.metadata().revision;
    world
        .release_with(APP, "a: 3\n", stale(revision))
        .await
        .unwrap();
    let refused = world.release_with(APP, "a: 4\n", stale(revision)).await;
    assert!(
        matches!(refused, Err(Error::Precondition { .. })),
        "{refused:?}"
    );
    assert_eq!(world.content(APP).await, "a: 3\n");
}

#[tokio::test]
async fn shared_files_lie_under_those_of_the_service() {
    let world = World::new().await;
    let missing = world.effective(APP).await;
    assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
    let shared = "# for all\nlog: info\npool: {size: 4, wait: 1s}\n";
    world.release("_/_/app.yaml", shared).await.unwrap();
    let alone = world.effective(APP).await.unwrap();
    assert_eq!(text(&alone), shared, "a single file is as it was written");
    assert_eq!(made_of(&alone), ["_/_/app.yaml@1"]);

    world
        .release("users/_/app.yaml", "pool: {size: 8}\n")
        .await
        .unwrap();
    world
        .release("_/prod/app.yaml", "log: warn\n")
        .await
        .unwrap();
    world
        .release(APP, "pool: {wait: null}\nname: users\n")
        .await
        .unwrap();
    let merged = world.effective(APP).await.unwrap();
    assert_eq!(
        made_of(&merged),
        [
            "_/_/app.yaml@1",
            "users/_/app.yaml@1",
            "_/prod/app.yaml@1",
            "users/prod/app.yaml@1"
        ]
    );
    let origins: Vec<String> = merged
        .origins
        .iter()
        .map(|origin| {
            format!(
                "{} {} {}",
                origin.pointer, origin.source.config, origin.position
            )
        })
        .collect();
    assert_eq!(
        origins,
        [
            "/log _/prod/app.yaml line 1, column 6",
            "/pool/size users/_/app.yaml line 1, column 14",
            "/name users/prod/app.yaml line 2, column 7",
        ]
    );
    let value: Value = guildhall_core::config::parse(merged.format, &merged.content)
        .unwrap()
        .value()
        .unwrap();
    assert_eq!(
        value,
        json!({"log": "warn", "pool": {"size": 8}, "name": "users"})
    );
    let staging = world.effective("users/staging/app.yaml").await.unwrap();
    assert_eq!(made_of(&staging), ["_/_/app.yaml@1", "users/_/app.yaml@1"]);
    assert_ne!(merged.tag, staging.tag);

    let odd = |name: &str| {
        let spec = json!({"content": "a=1", "format": "properties"});
        document(Kind::Config, name, spec)
    };
    let refused = world.put(odd("_/odd/app.yaml")).await.unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("write both in one format"), "{said}");
    // Neither is an input of the other: it shows to a reader of both.
    world.release("users/_/other.yaml", "a: 1\n").await.unwrap();
    world.seen(odd("_/odd/other.yaml")).await;
    let refused = world.effective("users/odd/other.yaml").await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("write both in one format"), "{said}");
}

#[tokio::test]
async fn a_watch_tells_what_is_new_of_any_input_and_nothing_else() {
    let world = World::new().await;
    let mut watch = world.watch_file(APP, None);
    let none = soon(watch.next()).await.unwrap();
    assert!(matches!(none, Err(Error::NotFound(_))), "{none:?}");
    world.release("_/_/app.yaml", "a: 1\n").await.unwrap();
    let first = soon(watch.next()).await.unwrap().unwrap();
    assert_eq!(text(&first), "a: 1\n");
    world
        .release("other/prod/app.yaml", "a: 2\n")
        .await
        .unwrap();
    world.release(APP, "b: 2\n").await.unwrap();
    let second = soon(watch.next()).await.unwrap().unwrap();
    assert_eq!(
        made_of(&second),
        ["_/_/app.yaml@1", "users/prod/app.yaml@1"]
    );

    // Who has this already is told only what comes after it; who has something else, at once.
    let mut later = world.watch_file(APP, Some(&second.tag));
    let mut behind = world.watch_file(APP, Some(&first.tag));
    assert!(
        Arc::ptr_eq(&soon(behind.next()).await.unwrap().unwrap(), &second),
        "made once"
    );
    world.delete(&file("_/_/app.yaml")).await;
    let third = soon(later.next()).await.unwrap().unwrap();
    assert_eq!(text(&third), "b: 2\n");
    assert_eq!(text(&soon(watch.next()).await.unwrap().unwrap()), "b: 2\n");
    world.delete(&file(APP)).await;
    let gone = soon(watch.next()).await.unwrap();
    assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
    world.control.stop().await;
    assert!(soon(watch.next()).await.is_none());
}

#[tokio::test]
async fn a_long_poll_answers_at_once_when_it_is_behind_and_else_waits() {
    let world = World::new().await;
    world.release(APP, "a: 1\n").await.unwrap();
    let configs = world.control.configs();
    let long = std::time::Duration::from_secs(50);
    let (query, caller) = (query(APP), world.caller.clone());
    let old = soon(configs.changed(&caller, &query, "old", long))
        .await
        .unwrap()
        .unwrap();
    let waiting = configs.clone();
    let tag = Arc::clone(&old.tag);
    let polled = tokio::spawn({
        let (caller, query) = (caller.clone(), query.clone());
        async move { waiting.changed(&caller, &query, &tag, long).await }
    });
    world.release(APP, "a: 2\n").await.unwrap();
    let new = soon(polled).await.unwrap().unwrap().unwrap();
    assert_eq!(text(&new), "a: 2\n");
    let moment = std::time::Duration::from_millis(1);
    let same = soon(configs.changed(&caller, &query, &new.tag, moment)).await;
    assert!(same.unwrap().is_none());
}

#[tokio::test]
async fn who_may_not_read_or_write_a_namespace_has_no_configuration_of_it() {
    let world = World::new().await;
    world.release(APP, "a: 1\n").await.unwrap();
    let stranger = caller("stranger", &[(Verb::Write, Some("elsewhere"))]);
    let configs = world.control.configs();
    let read = configs.effective(&stranger, &query(APP)).await;
    assert!(matches!(read, Err(Error::Denied(_))), "{read:?}");
    assert!(matches!(
        configs.watch(&stranger, query(APP), None).err(),
        Some(Error::Denied(_))
    ));
    let content = Bytes::from_static(b"a: 2\n");
    let options = WriteOptions::default();
    let written = configs
        .release(&stranger, &file(APP), content, None, options)
        .await;
    assert!(matches!(written, Err(Error::Denied(_))), "{written:?}");
}

/// Writers count up by compare-and-set, each from what it read: as if they came one after the other.
#[tokio::test]
async fn concurrent_releases_by_compare_and_set_are_linearizable() {
    const EACH: u32 = 20;
    let world = World::new().await;
    world.release(APP, "count: 0\n").await.unwrap();
    let mut tasks = Vec::new();
    for who in ["anna", "ben", "cleo"] {
        let (control, caller) = (world.control.clone(), caller(who, &[(Verb::Write, None)]));
        tasks.push(tokio::spawn(async move {
            let mut won = 0;
            while won < EACH {
                let live = control.documents().get(&caller, &file(APP)).unwrap();
                let Document::Config(config) = &live else {
                    panic!()
                };
                let configs = control.configs();
                let content = configs.content(&caller, config, Sight::Masked).await;
                let content = content.unwrap().bytes;
                let text = String::from_utf8(content.to_vec()).unwrap();
                let count: u32 = text.trim().rsplit(' ').next().unwrap().parse().unwrap();
                let options = WriteOptions {
                    precondition: Precondition::Revision(config.metadata.revision),
                    comment: Some(format!("{who} {won}")),
                    ..WriteOptions::default()
                };
                let next = Bytes::from(format!("count: {}\n", count + 1));
                let key = file(APP);
                match control
                    .configs()
                    .release(&caller, &key, next, None, options)
                    .await
                {
                    Ok(written) => {
                        assert_eq!(written.document.metadata().version, count + 2, "{who}");
                        won += 1;
                    }
                    Err(Error::Precondition { .. } | Error::Contention(_)) => {
                        tokio::task::yield_now().await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
    let index = Store::index(&*world.store);
    world.control.wait_for(index).await.unwrap();
    assert_eq!(world.content(APP).await, format!("count: {}\n", 3 * EACH));
}
