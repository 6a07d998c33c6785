//! Gray releases and listeners: who gets what, who runs what, and what is taken back by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use guildhall_control::Error;
use guildhall_control::config::{Effective, EffectiveQuery, EffectiveWatch, Reader};
use guildhall_control::documents::WriteOptions;
use guildhall_core::config::seal::Sight;
use guildhall_core::config::{Config, GrayRelease, Judgement, ListenerState, gray::Match};
use guildhall_core::document::{Document, DocumentKey, Kind};
use guildhall_core::registry::Health;
use serde_json::json;

use crate::world::*;

const APP: &str = "users/prod/app.yaml";

fn file() -> DocumentKey {
    key(Kind::Config, APP)
}

fn reader(instance: &str) -> Reader {
    Reader {
        instance: instance.into(),
        ..Reader::default()
    }
}

fn gray(name: &str, rule: Match, content: &str) -> GrayRelease {
    GrayRelease {
        name: name.to_owned(),
        rule,
        content: Some(content.to_owned()),
        ..GrayRelease::default()
    }
}

fn share(percentage: f64) -> Match {
    Match {
        percentage: Some(percentage),
        ..Match::default()
    }
}

fn of(instances: &[&str]) -> Match {
    Match {
        instances: instances.iter().map(|id| (*id).to_owned()).collect(),
        ..Match::default()
    }
}

impl World {
    async fn base(&self, content: &str) {
        let content = Bytes::from(content.to_owned());
        let configs = self.control.configs();
        let options = WriteOptions::default();
        let written = configs
            .release(&self.caller, &file(), content, None, options)
            .await
            .unwrap();
        self.control.wait_for(written.index).await.unwrap();
    }

    async fn gray(&self, release: GrayRelease) -> Result<(), Error> {
        let configs = self.control.configs();
        let options = WriteOptions::default();
        let written = configs
            .start_gray(&self.caller, &file(), &release, options)
            .await?;
        self.control.wait_for(written.index).await.map(drop)
    }

    async fn gets(&self, reader: Reader) -> String {
        let query = EffectiveQuery {
            key: file(),
            reader: Some(reader),
            sight: Sight::Masked,
        };
        let found = self
            .control
            .configs()
            .effective(&self.caller, &query)
            .await
            .unwrap();
        String::from_utf8(found.content.to_vec()).unwrap()
    }

    fn listen(&self, instance: &str) -> EffectiveWatch {
        let query = EffectiveQuery {
            key: file(),
            reader: Some(reader(instance)),
            sight: Sight::Masked,
        };
        self.control
            .configs()
            .watch(&self.caller, query, None)
            .unwrap()
    }

    fn says(&self, instance: &str, told: &Effective, outcome: Result<(), &str>) {
        let configs = self.control.configs();
        let instance = Arc::from(instance);
        configs
            .report(&self.caller, &file(), &instance, &told.tag, outcome)
            .unwrap();
    }

    fn live(&self) -> Config {
        match self.control.documents().get(&self.caller, &file()).unwrap() {
            Document::Config(config) => config.spec.clone(),
            other => panic!("{other:?}"),
        }
    }

    /// Who reads the file, in short.
    fn table(&self) -> Vec<String> {
        let rows = self
            .control
            .configs()
            .listeners(&self.caller, &file())
            .unwrap();
        let line = rows.iter().map(|row| {
            let running = row.running.as_ref().map_or("-".to_owned(), |running| {
                running
                    .inputs
                    .iter()
                    .map(|input| input.to_string())
                    .collect()
            });
            format!("{} {} {running}", row.instance, row.state.word())
        });
        line.collect()
    }

    async fn last_comment(&self) -> String {
        let history = self.control.history();
        let versions = history.list(&self.caller, &file(), None, 1).await.unwrap();
        let version = versions.versions.into_iter().next().unwrap();
        format!("{}: {}", version.by, version.comment.unwrap_or_default())
    }
}

#[tokio::test]
async fn each_instance_stays_on_its_side_and_more_of_them_only_adds() {
    let world = World::new().await;
    world.base("a: 1\n").await;
    let ids: Vec<String> = (0..40).map(|n| format!("u{n}")).collect();
    let blue = async |world: &World| {
        let mut blue = Vec::new();
        for id in &ids {
            if world.gets(reader(id)).await == "a: 2\n" {
                blue.push(id.clone());
            }
        }
        blue
    };
    world
        .gray(gray("blue", share(30.0), "a: 2\n"))
        .await
        .unwrap();
    let few = blue(&world).await;
    assert!((4..25).contains(&few.len()), "{few:?}");
    // The content stays where none is given.
    let more = GrayRelease {
        content: None,
        ..gray("blue", share(60.0), "")
    };
    world.gray(more).await.unwrap();
    let many = blue(&world).await;
    assert!(few.iter().all(|id| many.contains(id)) && many.len() > few.len());
    let world = world.restarted().await;
    assert_eq!(blue(&world).await, many, "after a kill");
    let nobody = EffectiveQuery {
        key: file(),
        reader: None,
        sight: Sight::Masked,
    };
    let plain = world
        .control
        .configs()
        .effective(&world.caller, &nobody)
        .await
        .unwrap();
    assert_eq!(plain.content, "a: 1\n");
}

#[tokio::test]
async fn whom_it_is_for_is_told_by_zone_and_labels_of_the_registration_too() {
    let world = World::new().await;
    world.base("a: 1\nb: 1\n").await;
    let spec = json!({"service": "users", "host": "h", "port": 1, "zone": "east"});
    let mut instance = labelled(Kind::Instance, "users/u1", spec, json!({"tier": "canary"}));
    instance.metadata_mut().name = "u1".to_owned();
    world.seen(instance).await;
    let rule = Match {
        zones: vec!["east".to_owned()],
        labels: BTreeMap::from([("tier".to_owned(), "canary".to_owned())]),
        ..Match::default()
    };
    let overlay = GrayRelease {
        overlay: true,
        ..gray("east", rule, "b: 2\n")
    };
    world.gray(overlay).await.unwrap();
    assert_eq!(world.gets(reader("u1")).await, "a: 1\nb: 2\n");
    assert_eq!(world.gets(reader("u2")).await, "a: 1\nb: 1\n");
    let said = Reader {
        zone: Some("east".into()),
        labels: BTreeMap::from([("tier".to_owned(), "canary".to_owned())]),
        ..reader("u2")
    };
    assert_eq!(world.gets(said).await, "a: 1\nb: 2\n");
    let elsewhere = Reader {
        zone: Some("west".into()),
        ..reader("u1")
    };
    assert_eq!(
        world.gets(elsewhere).await,
        "a: 1\nb: 1\n",
        "what it says itself holds"
    );
}

#[tokio::test]
async fn a_gray_release_becomes_everyones_or_nobodys() {
    let world = World::new().await;
    world.base("# ours\na: 1\n").await;
    world
        .gray(gray("blue", of(&["u1"]), "# new\na: 2\n"))
        .await
        .unwrap();
    let (caller, options) = (&world.caller, WriteOptions::default);
    let configs = world.control.configs();
    let done = configs
        .promote_gray(caller, &file(), "blue", options())
        .await
        .unwrap();
    world.control.wait_for(done.index).await.unwrap();
    assert_eq!(
        world.gets(reader("u9")).await,
        "# new\na: 2\n",
        "as it was written"
    );
    assert!(world.live().gray.is_empty());

    let overlay = GrayRelease {
        overlay: true,
        ..gray("green", of(&["u1"]), "b: 3\n")
    };
    world.gray(overlay).await.unwrap();
    let done = configs
        .promote_gray(caller, &file(), "green", options())
        .await
        .unwrap();
    world.control.wait_for(done.index).await.unwrap();
    assert_eq!(world.gets(reader("u9")).await, "a: 2\nb: 3\n");

    world
        .gray(gray("red", of(&["u1"]), "a: 4\n"))
        .await
        .unwrap();
    let done = configs
        .abort_gray(caller, &file(), "red", options())
        .await
        .unwrap();
    world.control.wait_for(done.index).await.unwrap();
    assert_eq!(world.gets(reader("u1")).await, "a: 2\nb: 3\n");
    let gone = configs.abort_gray(caller, &file(), "red", options()).await;
    assert!(matches!(gone, Err(Error::NoGray { .. })), "{gone:?}");

    for (release, expect) in [
        (
            gray("bad", of(&["u1"]), "a: [\n"),
            "/spec/gray/0/content: not yaml",
        ),
        (gray("", of(&["u1"]), "a: 1\n"), "/spec/gray/0/name"),
        (
            gray("bad", Match::default(), "a: 1\n"),
            "say whom it is for",
        ),
        (
            GrayRelease {
                content: None,
                ..gray("bad", of(&["u1"]), "")
            },
            "/spec/gray/0/content: what is new needs its content",
        ),
    ] {
        let error = world.gray(release).await.unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn listeners_tell_what_they_run_and_are_shown_a_while_longer() {
    let world = World::new().await;
    world.base("a: 1\n").await;
    let mut first = world.listen("u1");
    let mut second = world.listen("u2");
    let told = soon(first.next()).await.unwrap().unwrap();
    soon(second.next()).await.unwrap().unwrap();
    world.says("u1", &told, Ok(()));
    assert_eq!(
        world.table(),
        ["u1 applied users/prod/app.yaml@1", "u2 pending -"]
    );
    world.base("a: 2\n").await;
    let told = soon(first.next()).await.unwrap().unwrap();
    world.says("u1", &told, Err("no"));
    assert_eq!(
        world.table(),
        ["u1 failed users/prod/app.yaml@1", "u2 pending -"]
    );
    assert_eq!(world.control.status().listeners, 2);
    drop(second);
    let rows = world
        .control
        .configs()
        .listeners(&world.caller, &file())
        .unwrap();
    assert!(rows[0].connected && !rows[1].connected);
    tokio::time::sleep(std::time::Duration::from_secs(50)).await;
    assert_eq!(world.table().len(), 2);
    until("u2 is forgotten", || world.table().len() == 1).await;
    let mut options = options();
    options.config.listeners = 1;
    let small = World::with(options).await;
    let _one = small.listen("u1");
    let query = EffectiveQuery {
        key: file(),
        reader: Some(reader("u2")),
        sight: Sight::Masked,
    };
    let refused = small.control.configs().watch(&small.caller, query, None);
    assert!(matches!(refused.err(), Some(Error::TooManyReports { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_listeners_cannot_apply_is_taken_back() {
    let world = World::new().await;
    world.base("a: 1\n").await;
    let patient = GrayRelease {
        judgement: Judgement {
            max_failed: 1,
            ..Judgement::default()
        },
        ..gray("blue", of(&["u1", "u2"]), "a: 2\n")
    };
    world.gray(patient).await.unwrap();
    let mut watches = [world.listen("u1"), world.listen("u2"), world.listen("u3")];
    let mut told = Vec::new();
    for watch in &mut watches {
        told.push(soon(watch.next()).await.unwrap().unwrap());
    }
    assert_eq!(
        (&*told[0].content, &*told[2].content),
        (&b"a: 2\n"[..], &b"a: 1\n"[..])
    );
    // One may fail, and those who do not have it do not count.
    world.says("u3", &told[2], Err("not mine"));
    world.says("u1", &told[0], Err("no such pool"));
    world.says("u2", &told[1], Ok(()));
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    assert_eq!(world.live().gray.len(), 1);
    world.says("u2", &told[1], Err("not here either"));
    let back = soon(watches[0].next()).await.unwrap().unwrap();
    assert_eq!(back.content, "a: 1\n");
    assert_eq!(
        world.last_comment().await,
        "system: gray release blue is taken back: 2 of 2 could not apply it; u1: no such pool"
    );
    let rows = world
        .control
        .configs()
        .listeners(&world.caller, &file())
        .unwrap();
    assert_eq!(rows[0].state, ListenerState::Pending);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_makes_instances_ill_is_taken_back() {
    let world = World::new().await;
    world.base("a: 1\n").await;
    let instance = |id: &str| {
        let checks = json!([{"type": "ttl", "ttl": "10s", "initialStatus": "passing"}]);
        let spec = json!({"service": "users", "host": "h", "port": 1, "checks": checks});
        let mut instance = document(Kind::Instance, &format!("users/{id}"), spec);
        instance.metadata_mut().name = id.to_owned();
        instance
    };
    for id in ["u1", "u2"] {
        world.seen(instance(id)).await;
    }
    world
        .gray(gray("blue", of(&["u1"]), "a: 2\n"))
        .await
        .unwrap();
    let mut watch = world.listen("u1");
    let told = soon(watch.next()).await.unwrap().unwrap();
    world.says("u1", &told, Ok(()));
    // Its heartbeats end.
    world
        .until_health(&key(Kind::Instance, "users/u1"), Health::Unhealthy)
        .await;
    let back = soon(watch.next()).await.unwrap().unwrap();
    assert_eq!(back.content, "a: 1\n");
    let comment = world.last_comment().await;
    assert!(comment.contains("1 of 1 turned unhealthy"), "{comment}");

    // By hand means by hand.
    let manual = GrayRelease {
        judgement: Judgement {
            automatic: false,
            ..Judgement::default()
        },
        ..gray("green", of(&["u1"]), "a: 3\n")
    };
    world.gray(manual).await.unwrap();
    let told = soon(watch.next()).await.unwrap().unwrap();
    world.says("u1", &told, Err("no"));
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    assert_eq!(world.live().gray.len(), 1);
}
