//! Sealed values: kept encrypted, masked for those who may not see them, opened for those who may.

use bytes::Bytes;
use guildhall_control::config::{Content, EffectiveQuery, Promote};
use guildhall_control::documents::{WriteOptions, Written};
use guildhall_control::{Error, Options};
use guildhall_core::access::{Caller, Verb};
use guildhall_core::config::seal::{KeyRing, Sight};
use guildhall_core::config::{Config, ContentDiff, Format, Outcome};
use guildhall_core::document::{Document, DocumentKey, Kind, Metadata, Namespace, Object};
use guildhall_store::{BlobHash, Store};

use crate::world::*;

const APP: &str = "users/prod/app.yaml";
const SHARED: &str = "_/prod/app.yaml";
const OLD: &str = "old: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEW: &str = "new: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const TEXT: &str = "db:\n  user: app # who\n  password: hunter2 # why\n";

fn file(name: &str) -> DocumentKey {
    key(Kind::Config, name)
}

fn with_keys(lines: &[&str]) -> Options {
    let options = options();
    let ring = KeyRing::parse(&lines.join("\n")).unwrap();
    options.config.seal_keys.replace(ring);
    options
}

fn sealing(name: &str, content: &str, pointers: &[&str]) -> Document {
    let spec = Config {
        content: Some(content.to_owned()),
        sealed: pointers.iter().map(|&pointer| pointer.to_owned()).collect(),
        ..Config::default()
    };
    Object::new(Metadata::named(Namespace::default(), name), spec).into()
}

impl World {
    fn stands(&self, name: &str) -> Object<Config> {
        match self.control.documents().get(&self.caller, &file(name)) {
            Ok(Document::Config(config)) => Object::clone(&config),
            other => panic!("{other:?}"),
        }
    }

    async fn read(&self, caller: &Caller, name: &str, sight: Sight) -> Result<Content, Error> {
        let live = self.stands(name);
        self.control.configs().content(caller, &live, sight).await
    }

    async fn text(&self, name: &str, sight: Sight) -> String {
        let content = self.read(&self.caller, name, sight).await.unwrap();
        String::from_utf8(content.bytes.to_vec()).unwrap()
    }

    async fn set(&self, name: &str, content: &str) -> Result<Written, Error> {
        let content = Bytes::from(content.to_owned());
        let options = WriteOptions::default();
        let configs = self.control.configs();
        let written = configs
            .release(&self.caller, &file(name), content, None, options)
            .await?;
        self.control.wait_for(written.index).await?;
        Ok(written)
    }

    /// What is kept.
    async fn kept(&self, name: &str) -> String {
        let hash = self.stands(name).spec.content_hash.unwrap();
        let kept = self.store.blob_get(BlobHash::new(hash.0)).await.unwrap();
        String::from_utf8(kept.unwrap().to_vec()).unwrap()
    }

    async fn laid(&self, caller: &Caller, sight: Sight) -> Result<String, Error> {
        let query = EffectiveQuery {
            key: file(APP),
            reader: None,
            sight,
        };
        let found = self.control.configs().effective(caller, &query).await?;
        assert_eq!(found.sight, Some(sight));
        Ok(String::from_utf8(found.content.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn a_sealed_value_is_kept_encrypted_and_shown_only_to_whoever_may_reveal_it() {
    let world = World::with(with_keys(&[OLD])).await;
    world
        .seen(sealing(APP, TEXT, &["/db/password", "/none"]))
        .await;
    let kept = world.kept(APP).await;
    assert!(
        !kept.contains("hunter2") && kept.contains("v1:old:"),
        "{kept}"
    );
    let masked = "db:\n  user: app # who\n  password: \"******\" # why\n";
    assert_eq!(world.text(APP, Sight::Masked).await, masked);
    let open = "db:\n  user: app # who\n  password: \"hunter2\" # why\n";
    assert_eq!(world.text(APP, Sight::Revealed).await, open);
    let shown = serde_json::to_string(&world.stands(APP)).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");

    for verb in [Verb::Read, Verb::Write] {
        let other = caller("other", &[(verb, None)]);
        let refused = world.read(&other, APP, Sight::Revealed).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        let refused = world.laid(&other, Sight::Revealed).await;
        assert!(matches!(refused, Err(Error::Denied(_))), "{refused:?}");
        assert_eq!(world.laid(&other, Sight::Masked).await.unwrap(), masked);
    }
    let service = caller("service", &[(Verb::Reveal, None)]);
    assert_eq!(world.laid(&service, Sight::Revealed).await.unwrap(), open);
}

#[tokio::test]
async fn a_mask_keeps_what_is_there_and_the_same_value_is_no_change() {
    let world = World::with(with_keys(&[OLD])).await;
    world.seen(sealing(APP, TEXT, &["/db/password"])).await;
    let kept = world.kept(APP).await;
    let again = world.set(APP, TEXT).await.unwrap();
    assert!(!again.changed, "the value is what it was");

    let edited = world.text(APP, Sight::Masked).await.replace("app", "admin");
    let written = world.set(APP, &edited).await.unwrap();
    assert!(written.changed);
    let seal = |text: &str| text.lines().last().unwrap().to_owned();
    assert_eq!(seal(&world.kept(APP).await), seal(&kept), "the seal stays");
    assert!(world.text(APP, Sight::Revealed).await.contains("hunter2"));

    let moved = edited.replace("password", "passphrase");
    let refused = world.set(APP, &moved).await.unwrap_err();
    assert!(refused.to_string().contains("mask"), "{refused}");
    let copied = world.kept(APP).await + "  copy:\n    $sealed: nothing\n";
    let refused = world.set(APP, &copied).await.unwrap_err();
    assert!(
        refused.to_string().contains("not a sealed value"),
        "{refused}"
    );
    let token = kept.split("v1:").nth(1).unwrap().split('"').next().unwrap();
    let copied = format!("other: {{$sealed: \"v1:{token}\"}}\n");
    let refused = world.set(APP, &copied).await.unwrap_err();
    assert!(refused.to_string().contains("does not open"), "{refused}");
}

#[tokio::test]
async fn inputs_are_opened_before_they_are_merged() {
    let world = World::with(with_keys(&[OLD])).await;
    let shared = "db: {host: db1, password: shared}\nkey: [1]\n";
    world
        .seen(sealing(SHARED, shared, &["/db/password", "/key"]))
        .await;
    world
        .seen(sealing(APP, "db: {password: own}\n", &["/db/password"]))
        .await;
    let open = world.laid(&world.caller, Sight::Revealed).await.unwrap();
    assert_eq!(open, "db:\n  host: db1\n  password: own\nkey:\n  - 1\n");
    let masked = world.laid(&world.caller, Sight::Masked).await.unwrap();
    assert_eq!(masked.matches("******").count(), 2, "{masked}");
}

#[tokio::test]
async fn a_diff_says_that_a_sealed_value_changed_and_not_to_what() {
    let world = World::with(with_keys(&[NEW, OLD])).await;
    world.seen(sealing(APP, TEXT, &["/db/password"])).await;
    let one = world.stands(APP);
    world.set(APP, &TEXT.replace("app", "admin")).await.unwrap();
    let two = world.stands(APP);
    world
        .set(APP, &TEXT.replace("hunter2", "hunter3"))
        .await
        .unwrap();
    let three = world.stands(APP);
    let diff = async |before: &Object<Config>, after: &Object<Config>| {
        let configs = world.control.configs();
        let found = configs.diff(Some(before), Some(after), ("a", "b")).await;
        let ContentDiff {
            structural,
            textual,
        } = found.unwrap();
        let told = format!("{structural:?} {textual:?}");
        assert!(!told.contains("hunter"), "{told}");
        structural.unwrap().len()
    };
    assert_eq!(diff(&one, &two).await, 1, "the user alone");
    assert_eq!(diff(&one, &three).await, 1, "the password alone");
    assert_eq!(diff(&two, &three).await, 2);
}

#[tokio::test]
async fn without_keys_nothing_is_written_and_with_new_ones_all_is_sealed_anew() {
    let options = options();
    let keys = options.config.seal_keys.clone();
    let world = World::with(options).await;
    let refused = world.put(sealing(APP, TEXT, &["/db/password"])).await;
    assert!(
        matches!(refused, Err(Error::NoSealKey { wanted: None, .. })),
        "{refused:?}"
    );
    let text = sealing("users/prod/app.txt", "a", &["/a"]);
    keys.replace(KeyRing::parse(OLD).unwrap());
    let refused = world.put(text).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("no values that could be sealed"),
        "{refused}"
    );
    world.seen(sealing(APP, TEXT, &["/db/password"])).await;

    keys.replace(KeyRing::parse(&[NEW, OLD].join("\n")).unwrap());
    let configs = world.control.configs();
    let anew = async || {
        let (key, options) = (file(APP), WriteOptions::default());
        let written = configs.reseal(&world.caller, &key, options).await.unwrap();
        world.control.wait_for(written.index).await.unwrap();
        written.changed
    };
    assert!(anew().await && !anew().await, "once is enough");
    assert!(world.kept(APP).await.contains("v1:new:"));
    keys.replace(KeyRing::parse(NEW).unwrap());
    assert!(world.text(APP, Sight::Revealed).await.contains("hunter2"));

    keys.replace(KeyRing::parse(OLD).unwrap());
    let refused = world.read(&world.caller, APP, Sight::Revealed).await;
    let Err(Error::NoSealKey {
        wanted: Some(id), ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(id, "new");
    let masked = world.read(&world.caller, APP, Sight::Masked).await.unwrap();
    assert_eq!(
        (masked.format, masked.sight),
        (Format::Yaml, Some(Sight::Masked)),
        "masks need no key"
    );
}

#[tokio::test]
async fn what_is_promoted_is_sealed_for_its_new_place() {
    let world = World::with(with_keys(&[OLD])).await;
    world.seen(sealing(APP, TEXT, &["/db/password"])).await;
    let promote = async || {
        let asked = Promote {
            namespace: Namespace::default(),
            service: "users".into(),
            from: "prod".into(),
            file: Some("app.yaml".into()),
            to: "spare".to_owned(),
            version: None,
        };
        let configs = world.control.configs();
        let promoted = configs.promote(&world.caller, &asked, WriteOptions::default());
        let promoted = promoted.await.unwrap();
        world.control.wait_for(promoted.index).await.unwrap();
        assert!(!format!("{promoted:?}").contains("hunter"), "{promoted:?}");
        promoted.files[0].outcome
    };
    assert_eq!(promote().await, Outcome::Created);
    let spare = "users/spare/app.yaml";
    assert!(world.text(spare, Sight::Revealed).await.contains("hunter2"));
    assert_eq!(
        world.stands(spare).spec.sealed,
        ["/db/password"],
        "and stays sealed"
    );
    assert_eq!(promote().await, Outcome::Unchanged);
    world
        .set(APP, &TEXT.replace("hunter2", "hunter3"))
        .await
        .unwrap();
    assert_eq!(promote().await, Outcome::Updated);
    assert!(world.text(spare, Sight::Revealed).await.contains("hunter3"));
}
