//! Typed configuration against the real platform.

use std::{path::Path, sync::Arc};

use guildhall::{Config, ConfigBuilder, ConfigError, ConfigVersion, Service};
use guildhall_api::client::{Client, ClientOptions, PutOptions};
use guildhall_core::{
    config::{GrayRelease, ListenerRow, ListenerState, gray::Match},
    document::{DocumentKey, Kind, Namespace},
};
use serde::Deserialize;

use crate::{
    real::{platform, url},
    service, soon,
};

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct App {
    pool: u32,
    #[serde(default)]
    log_level: String,
}

fn key(name: &str) -> DocumentKey {
    DocumentKey::new(Kind::Config, Namespace::default(), name)
}

struct Api(Client);

impl Api {
    fn of(url: &str) -> Self {
        Self(Client::new(ClientOptions::new([url])).unwrap())
    }

    async fn release(&self, name: &str, content: &str) {
        let (key, content) = (key(name), content.to_owned().into());
        let options = PutOptions::default();
        let released = self.0.release_content(&key, content, None, &options);
        released.await.unwrap();
    }

    /// The listeners of the file, once `holds` of them.
    async fn listeners(
        &self,
        name: &str,
        holds: impl Fn(&[ListenerRow]) -> bool,
    ) -> Vec<ListenerRow> {
        let found = async {
            loop {
                let items = self.0.config_listeners(&key(name)).await.unwrap().items;
                if holds(&items) {
                    return items;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        soon("the listeners", found).await
    }
}

const APP: &str = "users/prod/app.yaml";

fn prod(service: &Service) -> ConfigBuilder<App> {
    service.config::<App>("app.yaml").environment("prod")
}

/// Waits until the version is so.
async fn until(config: &Config<App>, holds: impl FnMut(&ConfigVersion) -> bool) -> ConfigVersion {
    let mut changes = config.changes();
    let reached = async { changes.wait_for(holds).await.unwrap().clone() };
    soon("the version", reached).await
}

#[tokio::test]
async fn a_release_gets_in_force_and_a_bad_one_leaves_the_last_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let node = platform(&folder.path().join("data"), "127.0.0.1:0").await;
    let api = Api::of(&url(&node));
    api.release("_/prod/app.yaml", "logLevel: info\n").await;
    api.release(APP, "pool: 4\n").await;
    let service = service("users").platform(&url(&node)).instance_id("u1");
    let config = prod(&service)
        .validate(|app| match app.pool {
            0 => Err("pool: at least one".to_owned()),
            _ => Ok(()),
        })
        .load()
        .await
        .unwrap();
    let first = config.load();
    assert_eq!((first.pool, &*first.log_level), (4, "info"));
    assert_eq!(
        config.version().inputs,
        ["_/prod/app.yaml@1", "users/prod/app.yaml@1"]
    );

    let running = service.start().await.unwrap();
    let rows = api
        .listeners(APP, |rows| {
            rows.iter().any(|row| row.state == ListenerState::Applied)
        })
        .await;
    assert_eq!((rows.len(), &*rows[0].instance), (1, "u1"));

    api.release(APP, "pool: 8\n").await;
    until(&config, |version| version.number == 2).await;
    assert_eq!(
        (config.load().pool, first.pool),
        (8, 4),
        "what was loaded stays as it is"
    );

    for (bad, expect) in [
        (
            "pool: many\n",
            "/pool (_/prod/app.yaml@1, users/prod/app.yaml@3, line ",
        ),
        ("pool: 0\n", "pool: at least one"),
    ] {
        api.release(APP, bad).await;
        let version = until(&config, |version| {
            version
                .refused
                .as_ref()
                .is_some_and(|why| why.contains(expect))
        })
        .await;
        assert_eq!((version.number, config.load().pool), (2, 8), "{version:?}");
        let rows = api
            .listeners(APP, |rows| {
                rows[0]
                    .error
                    .as_ref()
                    .is_some_and(|error| error.contains(expect))
            })
            .await;
        let runs = rows[0].running.as_ref().unwrap();
        assert_eq!(
            (rows[0].state, runs.inputs[1].version),
            (ListenerState::Failed, 2)
        );
    }
    api.release(APP, "pool: 9\n").await;
    let version = until(&config, |version| version.number == 3).await;
    assert_eq!((version.refused, config.load().pool), (None, 9));
    running.stop().await;
    node.stop().await;
}

#[tokio::test]
async fn a_service_starts_without_the_platform_and_follows_it_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = platform(&data, "127.0.0.1:0").await;
    let (at, url) = (node.addresses().api.unwrap().to_string(), url(&node));
    Api::of(&url).release(APP, "pool: 4\n").await;
    let load = async || {
        let service = service("users")
            .platform(&url)
            .cache_dir(folder.path().join("cache"));
        prod(&service).load().await
    };
    drop(load().await.unwrap());
    node.stop().await;
    let config = load().await.unwrap();
    assert_eq!(config.load().pool, 4, "from the copy on disk");

    let node = platform(&data, &at).await;
    Api::of(&url).release(APP, "pool: 5\n").await;
    until(&config, |version| version.number == 2).await;
    assert_eq!(config.load().pool, 5);
    drop(config);
    node.stop().await;

    let copies: Vec<_> = std::fs::read_dir(folder.path().join("cache"))
        .unwrap()
        .collect();
    let copy = copies.into_iter().map(|copy| copy.unwrap().path());
    let copy = copy.filter(|path| path.extension().is_some_and(|end| end == "config"));
    let copy: Vec<_> = copy.collect();
    assert_eq!(copy.len(), 1);
    std::fs::write(&copy[0], "{").unwrap();
    tokio::time::pause();
    let refused = load().await;
    assert!(
        matches!(refused, Err(ConfigError::Unreachable { .. })),
        "a damaged copy is none: {refused:?}"
    );
}

#[tokio::test]
async fn secrets_are_revealed_where_asked_for_and_reach_no_disk_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("seal.keys");
    std::fs::write(&keys, "k: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
    let tokens = folder.path().join("tokens.toml");
    let token = |name: &str, scope: &str| {
        format!("[[tokens]]\nname = \"{name}\"\ntoken = \"{name}-token\"\nscopes = [\"{scope}\"]\n")
    };
    let text = [
        token("root", "admin"),
        token("users", "reveal"),
        token("other", "read"),
    ];
    std::fs::write(&tokens, text.concat()).unwrap();
    let node = guildhall_server::Platform::builder()
        .data_dir(folder.path().join("data"))
        .roles([guildhall_server::settings::Role::Control])
        .api_listen("127.0.0.1:0".parse().unwrap())
        .configure(|settings| {
            settings.config.seal_key_file = Some(keys.clone());
            settings.auth.token_file = Some(tokens.clone());
        });
    let node = node.start().await.unwrap();
    let url = url(&node);
    let root = Client::new(ClientOptions::new([&url]).with_token("root-token")).unwrap();
    let document =
        r#"{"spec": {"sealed": ["/logLevel"], "content": "pool: 4\nlogLevel: hunter2\n"}}"#;
    let put = root
        .put_json(&key(APP), document.into(), PutOptions::default())
        .await;
    put.unwrap();

    let cache = folder.path().join("cache");
    let load = async |token: &str, reveal: bool| {
        let platform = ClientOptions::new([&url]).with_token(token);
        let service = service("users")
            .platform_options(platform)
            .cache_dir(&cache);
        let config = prod(&service);
        if reveal {
            config.reveal().load().await
        } else {
            config.load().await
        }
    };
    let masked = load("users-token", false).await;
    let Err(ConfigError::Invalid { detail, .. }) = &masked else {
        panic!("a mask is no password: {masked:?}");
    };
    assert!(detail.contains("reveal()"), "{detail}");
    let refused = load("other-token", true).await;
    assert!(
        matches!(refused, Err(ConfigError::Refused { .. })),
        "{refused:?}"
    );
    let config = load("users-token", true).await.unwrap();
    assert_eq!(config.load().log_level, "hunter2");
    drop(config);
    let copies: Vec<_> = std::fs::read_dir(&cache).unwrap().collect();
    assert!(!copies.is_empty());
    for copy in copies {
        let bytes = std::fs::read(copy.unwrap().path()).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"hunter2"));
    }
    node.stop().await;
    let config = load("users-token", true).await.unwrap();
    assert_eq!(config.load().log_level, "hunter2", "from the copy on disk");
    drop(config);
    tokio::time::pause();
    let other = load("other-token", true).await;
    assert!(
        matches!(other, Err(ConfigError::Unreachable { .. })),
        "another token opens nothing: {other:?}"
    );
}

#[tokio::test]
async fn the_services_own_files_lie_below_and_need_no_platform() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("app.toml");
    std::fs::write(&own, "pool = 1\nlogLevel = 'debug'\n").unwrap();
    let alone = service("users");
    let config = prod(&alone).local_file(&own).load().await.unwrap();
    assert_eq!(
        (config.load().pool, &*config.load().log_level),
        (1, "debug")
    );
    assert_eq!(config.version().tag, "");

    let node = platform(&folder.path().join("data"), "127.0.0.1:0").await;
    let url = url(&node);
    let service = service("users").platform(&url);
    let config = prod(&service).local_file(&own).load().await.unwrap();
    assert_eq!(config.load().pool, 1, "the platform has none");
    Api::of(&url).release(APP, "pool: 2\n").await;
    until(&config, |version| version.number == 2).await;
    assert_eq!(
        (config.load().pool, &*config.load().log_level),
        (2, "debug")
    );
    node.stop().await;
}

#[tokio::test]
async fn what_there_is_not_or_makes_no_sense_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let node = platform(&folder.path().join("data"), "127.0.0.1:0").await;
    let url = url(&node);
    let service = service("users").platform(&url);
    let missing = prod(&service).load().await.unwrap_err().to_string();
    assert!(
        missing.contains("guildhall config set users/prod/app.yaml"),
        "{missing}"
    );
    let empty = prod(&service)
        .optional()
        .load()
        .await
        .unwrap_err()
        .to_string();
    assert!(empty.contains("missing field `pool`"), "{empty}");
    let odd = service.config::<App>("a/b").load().await;
    assert!(matches!(odd, Err(ConfigError::Settings { .. })), "{odd:?}");
    let none = prod(&service)
        .local_file(Path::new("no/such.yaml"))
        .load()
        .await;
    assert!(matches!(none, Err(ConfigError::File { .. })), "{none:?}");
    Api::of(&url).release(APP, "pool: -1\n").await;
    let invalid = prod(&service).load().await.unwrap_err().to_string();
    assert!(
        invalid.contains("users/prod/app.yaml@1, line 1, column 7"),
        "{invalid}"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_gray_release_reaches_its_instances_and_goes_when_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let node = platform(&folder.path().join("data"), "127.0.0.1:0").await;
    let url = url(&node);
    let api = Api::of(&url);
    api.release(APP, "pool: 4\n").await;
    let mut all = Vec::new();
    for id in ["u1", "u2"] {
        let service = service("users").platform(&url).instance_id(id);
        let config = prod(&service)
            .validate(|app| {
                if app.pool < 9 {
                    Ok(())
                } else {
                    Err("too many".to_owned())
                }
            })
            .load()
            .await
            .unwrap();
        all.push((config, service.start().await.unwrap()));
    }
    let gray = |pool: u32| GrayRelease {
        name: "blue".to_owned(),
        rule: Match {
            instances: vec!["u1".to_owned()],
            ..Match::default()
        },
        content: Some(format!("pool: {pool}\n")),
        ..GrayRelease::default()
    };
    let options = PutOptions::default();
    api.0
        .start_gray(&key(APP), &gray(5), &options)
        .await
        .unwrap();
    until(&all[0].0, |version| {
        version.inputs == ["users/prod/app.yaml@2#blue"]
    })
    .await;
    until(&all[1].0, |version| {
        version.inputs == ["users/prod/app.yaml@2"]
    })
    .await;
    assert_eq!((all[0].0.load().pool, all[1].0.load().pool), (5, 4));
    api.0
        .start_gray(&key(APP), &gray(10), &options)
        .await
        .unwrap();
    until(&all[0].0, |version| {
        version.inputs == ["users/prod/app.yaml@4"]
    })
    .await;
    assert_eq!(all[0].0.load().pool, 4, "taken back by itself");
    for (config, running) in all {
        drop(config);
        running.stop().await;
    }
    node.stop().await;
}

#[tokio::test]
async fn who_has_restarted_learns_again_what_everyone_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = platform(&data, "127.0.0.1:0").await;
    let (at, url) = (node.addresses().api.unwrap().to_string(), url(&node));
    Api::of(&url).release(APP, "pool: 4\n").await;
    let service = service("users").platform(&url).instance_id("u1");
    let config = prod(&service).load().await.unwrap();
    let running = service.start().await.unwrap();
    let applied = |rows: &[ListenerRow]| {
        rows.iter()
            .any(|row| row.connected && row.state == ListenerState::Applied)
    };
    Api::of(&url).listeners(APP, applied).await;
    node.stop().await;
    let node = platform(&data, &at).await;
    let rows = Api::of(&url).listeners(APP, applied).await;
    assert_eq!(
        rows[0].running.as_ref().unwrap().tag,
        Arc::from(config.version().tag)
    );
    running.stop().await;
    node.stop().await;
}
