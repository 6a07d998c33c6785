//! What a write would break for those who read: schemas, and formats that do not go together.

use bytes::Bytes;
use guildhall_control::Error;
use guildhall_control::documents::{Precondition, WriteOptions, Written};
use guildhall_core::config::gray::Match;
use guildhall_core::config::seal::KeyRing;
use guildhall_core::config::{Config, Format, GrayRelease};
use guildhall_core::document::{DocumentKey, Kind, Metadata, Namespace, Object};
use guildhall_core::history::VersionRef;

use crate::world::*;

const APP: &str = "users/prod/app.yaml";
const SHARED: &str = "_/prod/app.yaml";
const SCHEMA: &str = "_/_/app.schema.json";
const RULES: &str = r#"{"type": "object", "required": ["pool"], "properties": {"pool": {"type": "object",
  "properties": {"size": {"type": "integer", "minimum": 1}}}, "password": {"type": "string", "minLength": 4}}}"#;

fn file(name: &str) -> DocumentKey {
    key(Kind::Config, name)
}

impl World {
    async fn publish(&self, name: &str, content: &str) -> Result<Written, Error> {
        let content = Bytes::from(content.to_owned());
        let (key, options) = (file(name), WriteOptions::default());
        let configs = self.control.configs();
        configs
            .release(&self.caller, &key, content, None, options)
            .await
    }

    /// What a refused write says, field by field.
    async fn refused(&self, name: &str, content: &str) -> String {
        told(self.publish(name, content).await.unwrap_err())
    }

    async fn with_schema(&self, name: &str, content: &str) -> Result<Written, Error> {
        let spec = Config {
            content: Some(content.to_owned()),
            schema_ref: Some(SCHEMA.to_owned()),
            ..Config::default()
        };
        let document = Object::new(Metadata::named(Namespace::default(), name), spec);
        self.put(document.into()).await
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        let documents = self.control.documents();
        let (key, any) = (file(name), Precondition::None);
        let removed = documents.delete(&self.caller, &key, any, false).await;
        removed.map(drop)
    }
}

fn told(error: Error) -> String {
    match error {
        Error::Invalid(problems) => format!("{problems:?}"),
        other => other.to_string(),
    }
}

fn says(told: &str, words: &[&str]) {
    for word in words {
        assert!(told.contains(word), "{word:?} is not in {told}");
    }
}

#[tokio::test]
async fn what_readers_would_get_must_fit_the_schema_and_the_place_is_named() {
    let world = World::new().await;
    let early = world
        .with_schema(APP, "pool: {size: 1}\n")
        .await
        .unwrap_err();
    says(
        &told(early),
        &["/spec/schemaRef", "release the schema first"],
    );
    world.publish(SCHEMA, RULES).await.unwrap();
    world
        .with_schema(APP, "# ours\npool:\n  size: 2\n")
        .await
        .unwrap();
    let refused = world.refused(APP, "# ours\npool:\n  size: 0\n").await;
    says(
        &refused,
        &[
            "/spec/content",
            "users/prod/app.yaml@",
            "line 3, column 9",
            "at /pool/size",
            "minimum",
        ],
    );
    let refused = world.refused(APP, "pools: 1\n").await;
    says(
        &refused,
        &["the whole", "\\\"pool\\\" is a required property"],
    );

    // A shared file is laid under it: what is written there counts, and is told with its place.
    world.publish(SHARED, "pool:\n  size: 3\n").await.unwrap();
    world.publish(APP, "other: 1\n").await.unwrap();
    let refused = world.refused(SHARED, "pool:\n  size: none\n").await;
    says(
        &refused,
        &[
            "users/prod/app.yaml would not be right",
            "_/prod/app.yaml@",
            "line 2, column 9",
            "at /pool/size",
        ],
    );
    let refused = told(world.remove(SHARED).await.unwrap_err());
    says(
        &refused,
        &[
            "users/prod/app.yaml would not be right",
            "required property",
        ],
    );
    // Overridden where it is read, it is right again.
    world.publish(APP, "pool: {size: 9}\n").await.unwrap();
    world
        .publish(SHARED, "pool:\n  size: none\n")
        .await
        .unwrap();
    world.remove(SHARED).await.unwrap();
}

#[tokio::test]
async fn a_schema_is_not_taken_from_under_those_who_refer_to_it() {
    let world = World::new().await;
    world.publish(SCHEMA, RULES).await.unwrap();
    world.with_schema(APP, "pool: {size: 2}\n").await.unwrap();
    let refused = world
        .refused(SCHEMA, &RULES.replace("\"minimum\": 1", "\"minimum\": 3"))
        .await;
    says(
        &refused,
        &["users/prod/app.yaml would not be right", "at /pool/size"],
    );
    let refused = world.refused(SCHEMA, r#"{"type": "nothing"}"#).await;
    says(&refused, &["not a JSON Schema", "/type"]);
    let refused = world
        .refused(SCHEMA, r#"{"$ref": "https://example.com/a.json"}"#)
        .await;
    says(&refused, &["not a JSON Schema"]);
    let refused = told(world.remove(SCHEMA).await.unwrap_err());
    says(
        &refused,
        &["is the schema of users/prod/app.yaml", "--none"],
    );
    world.remove(APP).await.unwrap();
    world.remove(SCHEMA).await.unwrap();
}

#[tokio::test]
async fn going_back_is_checked_like_any_release() {
    let world = World::new().await;
    world.publish(SCHEMA, RULES).await.unwrap();
    world.with_schema(APP, "pool: {size: 2}\n").await.unwrap();
    world.with_schema(APP, "pool: {size: 5}\n").await.unwrap();
    let stricter = RULES.replace("\"minimum\": 1", "\"minimum\": 3");
    world.publish(SCHEMA, &stricter).await.unwrap();
    let (history, key) = (world.control.history(), file(APP));
    let (to, options) = (VersionRef::Number(1), WriteOptions::default());
    let back = history.rollback(&world.caller, &key, &to, options).await;
    says(&told(back.unwrap_err()), &["at /pool/size", "minimum of 3"]);
}

#[tokio::test]
async fn gray_releases_and_sealed_values_are_checked_too_and_secrets_are_not_told() {
    let options = options();
    let keys = options.config.seal_keys.clone();
    keys.replace(KeyRing::parse("k: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap());
    let world = World::with(options).await;
    world.publish(SCHEMA, RULES).await.unwrap();
    let sealed = |content: &str| {
        let spec = Config {
            content: Some(content.to_owned()),
            schema_ref: Some(SCHEMA.to_owned()),
            sealed: vec!["/password".to_owned()],
            ..Config::default()
        };
        Object::new(Metadata::named(Namespace::default(), APP), spec)
    };
    let short = world.put(sealed("pool: {}\npassword: xyz\n").into()).await;
    let refused = told(short.unwrap_err());
    says(&refused, &["at /password", "shorter"]);
    assert!(!refused.contains("xyz"), "{refused}");
    world
        .put(sealed("pool: {}\npassword: hunter2\n").into())
        .await
        .unwrap();
    let gray = GrayRelease {
        name: "blue".to_owned(),
        rule: Match {
            percentage: Some(10.0),
            ..Match::default()
        },
        overlay: true,
        content: Some("pool: {size: 0}\n".to_owned()),
        ..GrayRelease::default()
    };
    let configs = world.control.configs();
    let (key, options) = (file(APP), WriteOptions::default());
    let started = configs
        .start_gray(&world.caller, &key, &gray, options)
        .await;
    says(
        &told(started.unwrap_err()),
        &["at /pool/size", "users/prod/app.yaml#blue"],
    );
}

#[tokio::test]
async fn formats_that_do_not_go_together_are_refused_where_they_are_written() {
    let world = World::new().await;
    let put = async |name: &str, format: Format, content: &str| {
        let spec = Config {
            content: Some(content.to_owned()),
            format: Some(format),
            ..Config::default()
        };
        let document = Object::new(Metadata::named(Namespace::default(), name), spec);
        world.put(document.into()).await
    };
    put("users/prod/x", Format::Yaml, "a: {b: 1}\n")
        .await
        .unwrap();
    let refused = put("users/_/x", Format::Properties, "a.b=1\n").await;
    let words = [
        "users/_/x is properties",
        "users/prod/x is yaml",
        "in one format",
    ];
    says(&told(refused.unwrap_err()), &words);
    put("users/_/x", Format::Toml, "[a]\nb = 1\n")
        .await
        .unwrap();
    // What is in one piece hides what is below it.
    put("users/prod/x", Format::Text, "anything").await.unwrap();
    put("users/_/x", Format::Properties, "a.b=1\n")
        .await
        .unwrap();
}
