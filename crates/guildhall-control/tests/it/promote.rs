//! Promotion between environments: what becomes of the target, and what is told of its readers before.

use bytes::Bytes;
use guildhall_control::Error;
use guildhall_control::config::{EffectiveQuery, Promote, Promoted, Reader};
use guildhall_control::documents::{Precondition, WriteOptions};
use guildhall_core::access::Verb;
use guildhall_core::config::{Config, GrayRelease, Outcome, gray::Match};
use guildhall_core::document::{Document, Kind};
use guildhall_core::history::VersionRef;
use serde_json::json;

use crate::world::*;

const STAGING: &str = "users/staging/app.yaml";
const PROD: &str = "users/prod/app.yaml";

fn asked(file: Option<&str>, to: &str) -> Promote {
    Promote {
        namespace: namespace(),
        service: "users".into(),
        from: "staging".into(),
        file: file.map(Into::into),
        to: to.to_owned(),
        version: None,
    }
}

fn dry() -> WriteOptions {
    WriteOptions {
        dry_run: true,
        ..WriteOptions::default()
    }
}

impl World {
    async fn released(&self, name: &str, content: &str) -> u64 {
        let content = Bytes::from(content.to_owned());
        let (configs, options) = (self.control.configs(), WriteOptions::default());
        let file = key(Kind::Config, name);
        let written = configs
            .release(&self.caller, &file, content, None, options)
            .await
            .unwrap();
        self.control.wait_for(written.index).await.unwrap();
        written.document.metadata().revision
    }

    async fn promote(&self, asked: &Promote, options: WriteOptions) -> Result<Promoted, Error> {
        self.control
            .configs()
            .promote(&self.caller, asked, options)
            .await
    }

    fn config(&self, name: &str) -> Option<Config> {
        let found = self
            .control
            .documents()
            .get(&self.caller, &key(Kind::Config, name));
        match found.ok()? {
            Document::Config(config) => Some(config.spec.clone()),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_staging_has_becomes_a_release_of_prod_that_says_so() {
    let world = World::new().await;
    world.released(STAGING, "# tried\npool: 8\n").await;
    world.released(STAGING, "# tried\npool: 9\n").await;
    let mut options = dry();
    options.comment = Some("load test passed".to_owned());
    let tried = world
        .promote(&asked(Some("app.yaml"), "prod"), options.clone())
        .await
        .unwrap();
    assert_eq!(tried.files[0].outcome, Outcome::Created);
    assert!(world.config(PROD).is_none(), "tried only");

    options.dry_run = false;
    let done = world
        .promote(&asked(Some("app.yaml"), "prod"), options)
        .await
        .unwrap();
    world.control.wait_for(done.index).await.unwrap();
    let file = &done.files[0];
    assert_eq!(
        (&*file.from, &*file.to, file.version),
        ("users/staging/app.yaml@2", PROD, 1)
    );
    let history = world.control.history();
    let versions = history
        .list(&world.caller, &key(Kind::Config, PROD), None, 1)
        .await
        .unwrap()
        .versions;
    assert_eq!(
        versions[0].comment.as_deref(),
        Some("promoted from users/staging/app.yaml@2: load test passed")
    );
    let provenance = versions[0].provenance.clone().unwrap();
    assert_eq!(
        provenance.promoted_from.as_deref(),
        Some("users/staging/app.yaml@2")
    );
    let again = world
        .promote(&asked(Some("app.yaml"), "prod"), WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(
        (again.files[0].outcome, again.files[0].version),
        (Outcome::Unchanged, 1)
    );

    let earlier = Promote {
        version: Some(VersionRef::Number(1)),
        ..asked(Some("app.yaml"), "prod")
    };
    let back = world
        .promote(&earlier, WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(
        (back.files[0].outcome, &*back.files[0].from),
        (Outcome::Updated, "users/staging/app.yaml@1")
    );
    let textual = back.files[0].diff.textual.as_deref().unwrap();
    assert!(textual.contains("-pool: 9\n+pool: 8\n"), "{textual}");
}

#[tokio::test]
async fn the_report_says_what_readers_get_and_what_stands_in_the_way() {
    let world = World::new().await;
    world
        .released(STAGING, "db: {host: staging-db, pool: 4}\nlog: debug\n")
        .await;
    world
        .released("_/prod/app.yaml", "db: {host: prod-db}\nzone: east\n")
        .await;
    world.released(PROD, "db: {pool: 8}\nlog: debug\n").await;
    let gray = GrayRelease {
        name: "blue".to_owned(),
        rule: Match {
            instances: vec!["u9".to_owned()],
            ..Match::default()
        },
        content: Some("log: warn\n".to_owned()),
        ..GrayRelease::default()
    };
    let prod = key(Kind::Config, PROD);
    let started = world
        .control
        .configs()
        .start_gray(&world.caller, &prod, &gray, WriteOptions::default())
        .await
        .unwrap();
    world.control.wait_for(started.index).await.unwrap();
    let query = EffectiveQuery {
        key: prod.clone(),
        reader: Some(Reader {
            instance: "u1".into(),
            ..Reader::default()
        }),
        sight: guildhall_core::config::seal::Sight::Masked,
    };
    let _watch = world
        .control
        .configs()
        .watch(&world.caller, query, None)
        .unwrap();
    let tried = world
        .promote(&asked(Some("app.yaml"), "prod"), dry())
        .await
        .unwrap();
    let file = serde_json::to_value(&tried.files[0]).unwrap();
    assert_eq!(
        file["readers"],
        json!([{
            "file": PROD,
            "changes": [
                {"pointer": "/db/host", "before": "prod-db", "after": "staging-db"},
                {"pointer": "/db/pool", "before": 8, "after": 4},
            ],
            "listeners": {"count": 1, "instances": ["u1"]},
        }])
    );
    assert_eq!(
        file["hides"],
        json!([{
            "pointer": "/db/host", "below": "prod-db", "promoted": "staging-db",
            "source": {"config": "_/prod/app.yaml", "version": 1},
        }])
    );
    assert_eq!(
        (&file["gray"], &file["version"]),
        (&json!(["blue"]), &json!(2))
    );
    assert!(
        file["warnings"][0]
            .as_str()
            .unwrap()
            .contains("who has blue keeps it"),
        "{file}"
    );
    world
        .promote(&asked(Some("app.yaml"), "prod"), WriteOptions::default())
        .await
        .unwrap();
    let live = world.config(PROD).unwrap();
    assert_eq!(live.gray.len(), 1, "the target's own");

    // What all share has the readers of several files.
    let shared = world
        .promote(&asked(Some("app.yaml"), "_"), dry())
        .await
        .unwrap();
    let files: Vec<&str> = shared.files[0]
        .readers
        .iter()
        .map(|reader| &*reader.file)
        .collect();
    assert_eq!(files, ["users/_/app.yaml", PROD, STAGING]);
}

#[tokio::test]
async fn all_files_of_a_service_go_in_one_transaction_or_none_does() {
    let world = World::new().await;
    world.released(STAGING, "a: 1\n").await;
    world
        .released("users/staging/log.json", "{\"level\": 1}")
        .await;
    world.released("users/staging/text", "hello").await;
    world.released("users/prod/text", "hello").await;
    world.released("users2/staging/other", "x").await;
    let outcome = |promoted: &Promoted| -> Vec<(String, Outcome)> {
        let files = promoted.files.iter();
        files.map(|file| (file.to.clone(), file.outcome)).collect()
    };
    let done = world
        .promote(&asked(None, "prod"), WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(
        outcome(&done),
        [
            (PROD.to_owned(), Outcome::Created),
            ("users/prod/log.json".to_owned(), Outcome::Created),
            ("users/prod/text".to_owned(), Outcome::Unchanged),
        ]
    );
    assert_eq!(
        done.files[0].revision, done.files[1].revision,
        "one transaction"
    );
    let again = world
        .promote(&asked(None, "prod"), WriteOptions::default())
        .await
        .unwrap();
    assert!(
        outcome(&again)
            .iter()
            .all(|(_, one)| *one == Outcome::Unchanged)
    );
    for n in 0..25 {
        world
            .released(&format!("users/staging/many-{n}"), "x")
            .await;
    }
    let all = asked(None, "prod");
    let many = world.promote(&all, WriteOptions::default()).await;
    let error = many.unwrap_err().to_string();
    assert!(error.contains("25 files differ"), "{error}");
    assert!(world.config("users/prod/many-0").is_none());
}

#[tokio::test]
async fn what_cannot_be_promoted_says_why() {
    let world = World::new().await;
    let revision = world.released(STAGING, "a: 1\n").await;
    let one = |to: &str| asked(Some("app.yaml"), to);
    let when = |precondition| WriteOptions {
        precondition,
        ..WriteOptions::default()
    };
    let versioned = Promote {
        version: Some(VersionRef::Number(1)),
        ..asked(None, "prod")
    };
    let missing = Promote {
        version: Some(VersionRef::Tag("good".to_owned())),
        ..one("prod")
    };
    for (asked, options, expect) in [
        (
            one("staging"),
            when(Precondition::None),
            "/to: the environment that the file is in",
        ),
        (one("a b"), when(Precondition::None), "/to: "),
        (
            versioned,
            when(Precondition::None),
            "/version: each file counts",
        ),
        (missing, when(Precondition::None), "has no version \"good\""),
        (
            asked(None, "prod"),
            when(Precondition::Present),
            "If-Match is about one file",
        ),
        (
            one("prod"),
            when(Precondition::Revision(revision)),
            "is not there; read it again",
        ),
        (
            asked(Some("none"), "prod"),
            when(Precondition::None),
            "does not exist",
        ),
    ] {
        let error = world.promote(&asked, options).await.unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
    }
    let reader = caller("eye", &[(Verb::Read, None)]);
    let configs = world.control.configs();
    let denied = configs.promote(&reader, &one("prod"), dry()).await;
    assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    world.released(PROD, "a: 1\n").await;
    let stale = world
        .promote(&one("prod"), when(Precondition::Revision(1)))
        .await;
    assert!(
        matches!(stale, Err(Error::Precondition { .. })),
        "asked though nothing changes: {stale:?}"
    );
}
