//! Versions of documents: each change is one, none is lost or made up, and there is a way back.

use std::collections::BTreeMap;

use guildhall_control::Error;
use guildhall_control::documents::{Precondition, WriteOptions, Written};
use guildhall_control::history::Versions;
use guildhall_core::access::Verb;
use guildhall_core::document::{Document, DocumentKey, Kind};
use guildhall_core::history::{Act, VersionRef, entry_key, head_key};
use guildhall_store::{Op, Range, Store, Transaction};
use serde_json::json;

use crate::world::*;

fn policy(timeout: &str) -> Document {
    named("calm", timeout)
}

fn named(name: &str, timeout: &str) -> Document {
    let spec = json!({
        "targetRefs": [{"group": "guildhall", "kind": "Service", "name": "users"}],
        "timeouts": {"request": timeout},
    });
    document(Kind::Policy, name, spec)
}

fn timeout(document: &Document) -> String {
    let value = serde_json::to_value(document).unwrap();
    value["spec"]["timeouts"]["request"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn calm() -> DocumentKey {
    key(Kind::Policy, "calm")
}

fn because(comment: &str) -> WriteOptions {
    WriteOptions {
        comment: Some(comment.to_owned()),
        ..WriteOptions::default()
    }
}

impl World {
    async fn write(&self, document: Document, comment: &str) -> Written {
        let documents = self.control.documents();
        documents
            .write(&self.caller, document, because(comment))
            .await
            .unwrap()
    }

    async fn versions(&self, key: &DocumentKey) -> Versions {
        self.control
            .history()
            .list(&self.caller, key, None, 500)
            .await
            .unwrap()
    }

    async fn back(&self, to: impl Into<VersionRef>) -> Result<Written, Error> {
        let history = self.control.history();
        history
            .rollback(&self.caller, &calm(), &to.into(), because("back"))
            .await
    }

    /// The history in short, the oldest first.
    async fn told_history(&self) -> Vec<String> {
        let versions = self.versions(&calm()).await.versions;
        let short = versions.iter().rev().map(|version| {
            let to = version.to.map_or_else(String::new, |to| format!(" {to}"));
            let comment = version.comment.as_deref().unwrap_or("-");
            format!(
                "{} {}{to} by {}: {comment}",
                version.version,
                version.action.word(),
                version.by
            )
        });
        short.collect()
    }
}

#[tokio::test(start_paused = true)]
async fn every_change_is_a_version_and_there_is_a_way_back_to_each() {
    let world = World::new().await;
    let first = world.write(policy("1s"), "as a start").await;
    assert_eq!(first.document.metadata().version, 1);
    world.write(policy("2s"), "slower").await;
    // What already is takes no version.
    let same = world.write(policy("2s"), "again").await;
    assert!(!same.changed);
    assert_eq!(same.document.metadata().version, 2);
    let documents = world.control.documents();
    let deletion = because("not needed");
    documents
        .remove(&world.caller, &calm(), deletion)
        .await
        .unwrap();
    // A deleted document is rolled back to like any other, and its versions go on.
    let back = world.back(1).await.unwrap();
    assert!(back.created && back.changed);
    assert_eq!(
        (back.document.metadata().version, timeout(&back.document)),
        (4, "1s".to_owned())
    );
    assert_eq!(back.document.metadata().revision, back.index.revision);
    assert_eq!(
        world.told_history().await,
        [
            "1 created by tester: as a start",
            "2 updated by tester: slower",
            "3 deleted by tester: not needed",
            "4 rolledBack 1 by tester: back",
        ]
    );
    let history = world.control.history();
    let read = |n: u32| {
        let (history, caller) = (history.clone(), world.caller.clone());
        async move { history.read(&caller, &calm(), &n.into()).await }
    };
    let second = read(2).await.unwrap();
    let document = second.document.unwrap();
    assert_eq!(
        (document.metadata().version, timeout(&document)),
        (2, "2s".to_owned())
    );
    assert_eq!(document.metadata().revision, second.version.revision);
    assert_eq!(
        document.metadata().created_at,
        first.document.metadata().created_at
    );
    assert_eq!(read(3).await.unwrap().document, None);
    assert!(matches!(world.back(3).await, Err(Error::Invalid(_))));
    let missing = world.back(7).await.unwrap_err().to_string();
    assert!(missing.contains("no version 7; it has 1 to 4"), "{missing}");
    // Watchers and lists see the live document alone.
    let state = world.control.wait_for(back.index).await.unwrap();
    assert_eq!(state.documents.len(), 1);
    assert_eq!(state.get(&calm()).unwrap().metadata().version, 4);
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_a_write_like_any_other() {
    let world = World::new().await;
    let first = world
        .write(policy("1s"), "")
        .await
        .document
        .metadata()
        .revision;
    let second = world
        .write(policy("2s"), "")
        .await
        .document
        .metadata()
        .revision;
    let history = world.control.history();
    let options = |precondition, dry_run| WriteOptions {
        precondition,
        dry_run,
        comment: None,
        draft: false,
    };
    let back = |options: WriteOptions| {
        let (history, caller) = (history.clone(), world.caller.clone());
        async move { history.rollback(&caller, &calm(), &1.into(), options).await }
    };
    let stale = back(options(Precondition::Revision(first), false)).await;
    assert!(matches!(stale, Err(Error::Precondition { current: Some(at), .. }) if at == second));
    let tried = back(options(Precondition::Revision(second), true))
        .await
        .unwrap();
    assert_eq!(
        (tried.document.metadata().version, timeout(&tried.document)),
        (3, "1s".to_owned())
    );
    assert_eq!(world.versions(&calm()).await.head.last, 2);
    let done = back(options(Precondition::Revision(second), false))
        .await
        .unwrap();
    assert_eq!(done.document.metadata().version, 3);
    assert!(
        !back(options(Precondition::None, false))
            .await
            .unwrap()
            .changed
    );
    let reader = caller("reader", &[(Verb::Read, None)]);
    let refused = history
        .rollback(&reader, &calm(), &2.into(), WriteOptions::default())
        .await;
    assert!(matches!(refused, Err(Error::Denied(_))));
    let stranger = caller("stranger", &[(Verb::Read, Some("other"))]);
    let refused = history.list(&stranger, &calm(), None, 1).await;
    assert!(matches!(refused, Err(Error::Denied(_))));
    let none = history
        .list(&world.caller, &key(Kind::Policy, "none"), None, 1)
        .await;
    assert!(matches!(none, Err(Error::NotFound(_))));
    let instances = history
        .list(&world.caller, &key(Kind::Instance, "a/b"), None, 1)
        .await;
    assert!(matches!(instances, Err(Error::Invalid(_))));
}

#[tokio::test(start_paused = true)]
async fn retention_keeps_the_newest_and_the_tagged() {
    let mut options = options();
    options.history.keep = 3;
    let world = World::with(options).await;
    let history = world.control.history();
    world.write(policy("1s"), "").await;
    let tagged = history
        .tag(&world.caller, &calm(), "good", &1.into())
        .await
        .unwrap();
    assert_eq!(tagged.0, 1);
    for second in 2..=10 {
        world.write(policy(&format!("{second}s")), "").await;
    }
    let numbers = |versions: &Versions| -> Vec<u32> {
        versions
            .versions
            .iter()
            .map(|version| version.version)
            .collect()
    };
    let all = world.versions(&calm()).await;
    assert_eq!(numbers(&all), [10, 9, 8, 1]);
    let page = history
        .list(&world.caller, &calm(), Some(10), 2)
        .await
        .unwrap();
    assert_eq!((numbers(&page), page.more), (vec![9, 8], true));
    // The store holds what the head says, and nothing else.
    let entries = world
        .store
        .range(Range::prefix("past/entry/"))
        .await
        .unwrap()
        .entries;
    let keys: Vec<String> = [1, 8, 9, 10].map(|n| entry_key(&calm(), n)).into();
    assert!(
        entries
            .iter()
            .map(|entry| &*entry.key)
            .eq(keys.iter().map(String::as_bytes))
    );
    let good = VersionRef::Tag("good".to_owned());
    let read = history.read(&world.caller, &calm(), &good).await.unwrap();
    assert_eq!(
        (read.version.version, read.tags),
        (1, vec!["good".to_owned()])
    );
    assert_eq!(
        timeout(&world.back(good.clone()).await.unwrap().document),
        "1s"
    );
    history.untag(&world.caller, &calm(), "good").await.unwrap();
    assert!(matches!(world.back(1).await, Err(Error::NoVersion { .. })));
    let gone = history.untag(&world.caller, &calm(), "good").await;
    assert!(matches!(gone, Err(Error::NoVersion { .. })));
    let number = history.tag(&world.caller, &calm(), "7", &11.into()).await;
    assert!(matches!(number, Err(Error::Invalid(_))));
    assert_eq!(numbers(&world.versions(&calm()).await), [11, 10, 9]);
}

#[tokio::test(start_paused = true)]
async fn what_was_written_without_a_history_is_adopted_by_its_next_write() {
    let world = World::new().await;
    // As an earlier build left them: stored without a version, and no head beside.
    let earlier = |document: Document| {
        let mut metadata = document.metadata().clone();
        metadata.updated_by = Some("anna".to_owned());
        let stored = document.with_metadata(metadata).to_stored().unwrap();
        assert!(
            !String::from_utf8(stored.clone())
                .unwrap()
                .contains("version")
        );
        Op::put(
            document
                .key()
                .store_key(guildhall_core::document::KeyPart::Spec),
            stored,
        )
    };
    let transaction = Transaction::new()
        .then(earlier(policy("1s")))
        .then(earlier(named("gone", "1s")));
    let before = world.store.commit(transaction).await.unwrap().index;
    world.control.wait_for(before).await.unwrap();
    let none = world.versions(&calm()).await;
    assert_eq!((none.head.last, none.versions.len()), (0, 0));
    let missing = world.back(1).await.unwrap_err().to_string();
    assert!(missing.contains("begins with its next change"), "{missing}");

    let written = world.write(policy("2s"), "slower").await;
    assert_eq!(written.document.metadata().version, 2);
    assert_eq!(
        world.told_history().await,
        [
            "1 created by anna: as it stood when its history began",
            "2 updated by tester: slower",
        ]
    );
    let versions = world.versions(&calm()).await.versions;
    assert_eq!(versions[1].revision, before.revision);
    assert_eq!(timeout(&world.back(1).await.unwrap().document), "1s");

    let gone = key(Kind::Policy, "gone");
    world.delete(&gone).await;
    let acts = world.versions(&gone).await.versions;
    assert_eq!(
        acts.iter()
            .map(|version| version.action)
            .collect::<Vec<_>>(),
        [Act::Deleted, Act::Created]
    );
}

#[tokio::test(start_paused = true)]
async fn kinds_without_history_write_nothing_beside_themselves() {
    let world = World::new().await;
    let written = world
        .write(service("users", json!({"owner": "a"})), "unheard")
        .await;
    assert_eq!(written.document.metadata().version, 0);
    world.write(instance("users/u1"), "").await;
    let past = world.store.range(Range::prefix("past/")).await.unwrap();
    assert!(past.entries.is_empty());
}

/// Two writers and one who rolls back, at the same time, each unconditional or by compare-and-set:
/// the versions are those that were answered, each with its author's name and words, and none else.
#[tokio::test(start_paused = true)]
async fn concurrent_writers_and_rollbacks_are_one_after_the_other() {
    const EACH: usize = 30;
    let world = World::new().await;
    world.seen(policy("1s")).await;
    let mut tasks = Vec::new();
    for (n, who) in ["anna", "ben", "cleo"].into_iter().enumerate() {
        let (control, caller) = (world.control.clone(), caller(who, &[(Verb::Write, None)]));
        tasks.push(tokio::spawn(async move {
            let mut answered = Vec::new();
            let mut round = 0;
            while answered.len() < EACH {
                round += 1;
                let words = format!("{who} {round}");
                let mut options = because(&words);
                let current = control.documents().get(&caller, &calm()).unwrap();
                let conditional = round % 2 == 0;
                if conditional {
                    options.precondition = Precondition::Revision(current.metadata().revision);
                }
                let result = if n == 2 {
                    let last = control
                        .history()
                        .list(&caller, &calm(), None, 1)
                        .await
                        .unwrap()
                        .head
                        .last;
                    let to = 1 + (round as u32 * 7) % last;
                    control
                        .history()
                        .rollback(&caller, &calm(), &to.into(), options)
                        .await
                } else {
                    let next = policy(&format!("{}s", 2 + n * 1_000 + round));
                    control.documents().write(&caller, next, options).await
                };
                match result {
                    Ok(written) if written.changed => {
                        let metadata = written.document.metadata();
                        assert_eq!(metadata.revision, written.index.revision);
                        answered.push((
                            metadata.version,
                            (who.to_owned(), words, timeout(&written.document)),
                        ));
                    }
                    // A rollback to what is there already.
                    Ok(_) => {}
                    Err(Error::Precondition { .. } | Error::Contention(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                tokio::task::yield_now().await;
            }
            answered
        }));
    }
    let mut answered = BTreeMap::new();
    for task in tasks {
        for (version, what) in soon(task).await.unwrap() {
            assert_eq!(
                answered.insert(version, what),
                None,
                "version {version} was answered twice"
            );
        }
    }
    let last = u32::try_from(3 * EACH + 1).unwrap();
    assert!(
        answered.keys().copied().eq(2..=last),
        "dense: {:?}",
        answered.keys()
    );
    let mut revision = 0;
    let history = world.control.history();
    for (version, (who, words, said)) in answered {
        let recorded = history
            .read(&world.caller, &calm(), &version.into())
            .await
            .unwrap();
        assert_eq!(
            (&recorded.version.by, recorded.version.comment.as_deref()),
            (&who, Some(&*words))
        );
        let document = recorded.document.unwrap();
        assert_eq!(
            (document.metadata().version, timeout(&document)),
            (version, said)
        );
        assert!(recorded.version.revision > revision);
        revision = recorded.version.revision;
        // A rollback says what the version it went back to said.
        if let Some(to) = recorded.version.to {
            let target = history
                .read(&world.caller, &calm(), &to.into())
                .await
                .unwrap();
            assert_eq!(timeout(&document), timeout(&target.document.unwrap()));
        }
    }
    let live = world
        .store
        .get(head_key(&calm()).as_bytes())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(live.modified, revision);
}

/// Tags are changed while the document is written: neither is lost.
#[tokio::test(start_paused = true)]
async fn tags_and_writes_at_the_same_time_lose_nothing() {
    let world = World::new().await;
    world.seen(policy("1s")).await;
    let (control, who) = (world.control.clone(), world.caller.clone());
    let tagging = tokio::spawn(async move {
        for n in 0..40 {
            let (tag, version) = (format!("t{}", n % 8), VersionRef::Number(1));
            control
                .history()
                .tag(&who, &calm(), &tag, &version)
                .await
                .unwrap();
            if n % 5 == 4 {
                control.history().untag(&who, &calm(), &tag).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    });
    for second in 2..=40 {
        world.write(policy(&format!("{second}s")), "").await;
    }
    soon(tagging).await.unwrap();
    let head = world.versions(&calm()).await.head;
    assert_eq!(head.last, 40);
    assert!(
        head.tags.keys().eq(["t0", "t1", "t3", "t4", "t5", "t6"]),
        "{:?}",
        head.tags
    );
}
