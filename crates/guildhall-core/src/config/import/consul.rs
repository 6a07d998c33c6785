//! Consul's key-value store: what `consul kv export` prints, or `GET /v1/kv/?recurse`: a list of keys with values in
//! Base64.
//!
//! By Spring Cloud's naming, below the prefix (`config` unless another is given):
//!
//! | key | file |
//! |---|---|
//! | `config/users,prod/data` | `users/prod/application.yaml`, or what the text looks like |
//! | `config/users,prod/app.yaml` | `users/prod/app.yaml` |
//! | `config/users-prod.yaml` | `users/prod/application.yaml`, as git2consul writes |
//! | `config/users,prod/pool/size` | the key `pool.size` in `users/prod/application.properties` |
//!
//! `application` is all services. By plain naming `a` is `_/_/a`, `a/b` is `a/_/b`, and what has more parts is
//! `service/environment/file`, with `.` between the parts of the file.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;

use super::{
    Entry, Import, ImportError, Naming, Options,
    set::{Place, Set},
    spring,
};
use crate::config::{Format, Node, SHARED, Value, format::properties};

const PREFIX: &str = "config";
/// The key that holds a whole file.
const DATA: &str = "data";

/// What tells that an export is of Consul.
pub(super) fn sign(entries: &[Entry]) -> Option<&'static str> {
    let [entry] = entries else {
        return None;
    };
    // A file by itself, not one in an archive's folders.
    if entry.path.contains('/') {
        return None;
    }
    let pairs: Vec<Pair> = serde_json::from_slice(&entry.content).ok()?;
    (!pairs.is_empty()).then_some("it is a list of keys and values")
}

/// A key and its value.
#[derive(Deserialize)]
struct Pair {
    #[serde(alias = "Key")]
    key: String,
    #[serde(default, alias = "Value")]
    value: Option<String>,
}

pub(super) fn read(entries: &[Entry], options: &Options) -> Result<Import, ImportError> {
    let mut set = Set::new(options);
    let mut properties = Collected::new();
    for entry in entries {
        let pairs: Vec<Pair> = serde_json::from_slice(&entry.content).map_err(|error| {
            ImportError::entry(
                &entry.path,
                format_args!("it is no list of keys and values: {error}"),
            )
        })?;
        for Pair { key, value } in pairs {
            let value = STANDARD
                .decode(value.unwrap_or_default())
                .map_err(|error| {
                    ImportError::entry(&key, format_args!("its value is not Base64: {error}"))
                })?;
            take(&key, value.into(), options, &mut properties, &mut set)?;
        }
    }
    for (name, lines) in properties {
        let text: String = lines.lines.into_values().collect();
        set.add(&lines.place, None, text.into(), &name)?;
    }
    Ok(set.done())
}

/// Keys that are lines of a file, by the folder they stand in.
type Collected = BTreeMap<String, Lines>;

struct Lines {
    place: Place,
    lines: BTreeMap<String, String>,
}

fn take(
    key: &str,
    value: Bytes,
    options: &Options,
    properties: &mut Collected,
    set: &mut Set<'_>,
) -> Result<(), ImportError> {
    if key.ends_with('/') {
        if value.is_empty() {
            set.skip(key, "it is a folder");
        } else {
            set.skip(key, "a key that ends with / names no file");
        }
        return Ok(());
    }
    let prefix = match (options.naming, options.prefix.as_deref()) {
        (_, Some(prefix)) => prefix.trim_matches('/'),
        (Naming::Spring, None) => PREFIX,
        (Naming::Plain, None) => "",
    };
    let inner = match prefix {
        "" => Some(key),
        prefix => key
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix('/')),
    };
    let Some(inner) = inner else {
        set.skip(
            key,
            format_args!("it is not below {prefix}/; name another place with --prefix"),
        );
        return Ok(());
    };
    if options.naming == Naming::Plain {
        return set.add(&plain(inner), None, value, key);
    }
    let Some((context, rest)) = inner.split_once('/') else {
        let extension = Format::of_file_name(inner).and_then(|_| inner.rsplit_once('.'));
        let Some((_, extension)) = extension else {
            set.skip(key, "it is neither APPLICATION,PROFILE/… nor a file");
            return Ok(());
        };
        return set.add(
            &spring::place(inner, Some(extension), options),
            None,
            value,
            key,
        );
    };
    let (application, profile) = context.split_once(',').unwrap_or((context, SHARED));
    let service = match application {
        spring::ALL => SHARED,
        service => service,
    };
    if rest == DATA {
        let format = look(&value);
        let file = format!("{}.{}", spring::ALL, format.name());
        return set.add(
            &Place::new(service, profile, &file),
            Some(format),
            value,
            key,
        );
    }
    let is_file = Format::of_file_name(rest).is_some_and(Format::is_tree) && !rest.contains('/');
    if is_file {
        return set.add(&Place::new(service, profile, rest), None, value, key);
    }
    let Ok(value) = std::str::from_utf8(&value) else {
        set.skip(key, "its value is not text; it can be no line of a file");
        return Ok(());
    };
    let name = rest.replace('/', ".");
    let line = format!(
        "{}={}\n",
        properties::escape_key(&name),
        properties::escape_value(value)
    );
    let file = format!("{}.properties", spring::ALL);
    let folder = format!("{prefix}/{context}/");
    let lines = properties.entry(folder).or_insert_with(|| Lines {
        place: Place::new(service, profile, &file),
        lines: BTreeMap::new(),
    });
    if lines.lines.insert(name.clone(), line).is_some() {
        return Err(ImportError::entry(
            key,
            format_args!("another key comes to {name}, too"),
        ));
    }
    Ok(())
}

fn plain(key: &str) -> Place {
    match key.splitn(3, '/').collect::<Vec<_>>().as_slice() {
        [service, environment, file] => Place::new(service, environment, &file.replace('/', ".")),
        [service, file] => Place::new(service, SHARED, file),
        _ => Place::new(SHARED, SHARED, key),
    }
}

/// What a text without a name looks like: Spring Cloud has it in its own settings, not in the store.
fn look(bytes: &[u8]) -> Format {
    let is_object = |format| {
        let parsed = crate::config::parse(format, bytes).ok();
        let root = parsed.as_ref().and_then(|parsed| parsed.root());
        matches!(
            root,
            Some(Node {
                value: Value::Object(_),
                ..
            })
        )
    };
    let order = [Format::Json, Format::Yaml, Format::Properties];
    order
        .into_iter()
        .find(|format| is_object(*format))
        .unwrap_or(Format::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(pairs: &[(&str, &str)]) -> Vec<Entry> {
        let pairs: Vec<serde_json::Value> = pairs
            .iter()
            .map(|(key, value)| {
                serde_json::json!({"key": key, "flags": 0, "value": STANDARD.encode(value)})
            })
            .collect();
        vec![Entry {
            path: "kv.json".to_owned(),
            content: serde_json::to_vec(&pairs).unwrap().into(),
        }]
    }

    fn files(entries: &[Entry], options: &Options) -> Vec<(String, String)> {
        let import = read(entries, options).unwrap();
        let text = |file: super::super::File| {
            (file.name, String::from_utf8(file.content.to_vec()).unwrap())
        };
        import.files.into_iter().map(text).collect()
    }

    #[test]
    fn spring_clouds_ways() {
        let entries = export(&[
            ("config/", ""),
            ("config/application/data", "a: 1\n"),
            ("config/users,prod/data", "pool.size=8\n"),
            ("config/users/app.toml", "x = 1\n"),
            ("config/orders,dev/pool/size", "9"),
            ("config/orders,dev/logging.level", "a\nb"),
            ("config/carts-uat.yaml", "c: 2\n"),
            ("config/odd", "1"),
            ("other/x", "1"),
        ]);
        let text = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(
            files(&entries, &Options::default()),
            [
                text("_/_/application.yaml", "a: 1\n"),
                text("users/_/app.toml", "x = 1\n"),
                text("carts/uat/application.yaml", "c: 2\n"),
                text(
                    "orders/dev/application.properties",
                    "logging.level=a\\nb\npool.size=9\n"
                ),
                text("users/prod/application.properties", "pool.size=8\n"),
            ]
        );
        let skipped = read(&entries, &Options::default()).unwrap().skipped;
        let skipped: Vec<&str> = skipped.iter().map(|skipped| &*skipped.origin).collect();
        assert_eq!(skipped, ["config/", "config/odd", "other/x"]);
    }

    #[test]
    fn plain_paths_below_a_prefix() {
        let entries = export(&[
            ("kv/a", "1"),
            ("kv/users/app.yaml", "2"),
            ("kv/users/prod/x/y.yaml", "3"),
        ]);
        let options = Options {
            naming: Naming::Plain,
            prefix: Some("/kv/".into()),
            ..Options::default()
        };
        let names: Vec<String> = files(&entries, &options)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["_/_/a", "users/_/app.yaml", "users/prod/x.y.yaml"]);
    }

    #[test]
    fn the_http_answer_is_read_too_and_a_broken_value_names_its_key() {
        let http = r#"[{"LockIndex": 0, "Key": "config/a/data", "Flags": 0, "Value": null, "CreateIndex": 7}]"#;
        let entry = |content: &str| {
            [Entry {
                path: "kv.json".into(),
                content: content.to_owned().into(),
            }]
        };
        assert_eq!(files(&entry(http), &Options::default()).len(), 1);
        let broken = r#"[{"key": "config/a/data", "value": "%"}]"#;
        let error = read(&entry(broken), &Options::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("config/a/data: its value is not Base64"),
            "{error}"
        );
        let twice = export(&[("config/a/b/c", "1"), ("config/a/b.c", "2")]);
        let error = read(&twice, &Options::default()).unwrap_err().to_string();
        assert!(
            error.starts_with("config/a/b.c: another key comes to b.c"),
            "{error}"
        );
    }
}
