//! Apollo: the zip archive that its portal makes, of everything or of one app in one environment and cluster.
//!
//! | entry | what |
//! |---|---|
//! | `[{owner}/]{app}/{env}/{app}+{cluster}+{namespace}.{extension}` | the items of a namespace, as JSON |
//! | `{app}+{namespace}.appnamespace.metadata` | `{appId, name, format, isPublic}` as JSON |
//! | `…/app.metadata`, `…/{cluster}.cluster.metadata` | nothing that is needed here |
//!
//! A namespace of properties is a list of `{key, value, comment, lineNum}`; one of another format is a list of one item
//! `content`. Portals before 2.0 wrote the text itself, which is read, too.
//!
//! The app is the service, the namespace the file. A public namespace is of all (`_`) and those of its name in other apps
//! are laid over it, as Apollo does. Environments are written in small letters. A cluster that is not `default` stands for
//! itself, as the environment `{env}-{cluster}`: Apollo does not lay clusters over each other.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde::Deserialize;

use super::{
    Entry, Import, ImportError, Options,
    set::{Place, Set},
};
use crate::config::{Format, SHARED, format::properties};

const PUBLIC: &str = ".appnamespace.metadata";
const OTHERS: [&str; 2] = ["app.metadata", ".cluster.metadata"];
const CONTENT: &str = "content";

/// What tells that an export is of Apollo.
pub(super) fn sign(entries: &[Entry]) -> Option<&'static str> {
    let is_one = |entry: &Entry| {
        entry.path.ends_with(PUBLIC)
            || parts(&entry.path).is_some_and(|parts| parts.environment.is_some())
    };
    let found = entries.iter().any(is_one);
    found.then_some("its files are named app+cluster+namespace")
}

/// What the path of a namespace says.
struct Parts<'a> {
    app: &'a str,
    cluster: &'a str,
    file: &'a str,
    environment: Option<&'a str>,
}

fn parts(path: &str) -> Option<Parts<'_>> {
    let mut folders = path.rsplit('/');
    let mut name = folders.next()?.split('+');
    let (app, cluster, file) = (name.next()?, name.next()?, name.next()?);
    let is_one = name.next().is_none() && !file.ends_with(".metadata");
    let (environment, above) = (folders.next(), folders.next());
    is_one.then_some(Parts {
        app,
        cluster,
        file,
        environment: environment.filter(|_| above == Some(app)),
    })
}

/// A namespace of an app.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AppNamespace {
    app_id: String,
    name: String,
    #[serde(default)]
    is_public: bool,
}

/// A line of a namespace.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    line_num: i64,
}

pub(super) fn read(entries: &[Entry], options: &Options) -> Result<Import, ImportError> {
    let mut public = BTreeSet::new();
    for entry in entries.iter().filter(|entry| entry.path.ends_with(PUBLIC)) {
        let namespace: AppNamespace = serde_json::from_slice(&entry.content)
            .map_err(|error| ImportError::entry(&entry.path, error))?;
        if namespace.is_public {
            public.insert((namespace.app_id, namespace.name));
        }
    }
    let mut set = Set::new(options);
    for entry in entries {
        let path = entry.path.as_str();
        if path.ends_with(PUBLIC) || OTHERS.iter().any(|other| path.ends_with(other)) {
            continue;
        }
        let Some(parts) = parts(path) else {
            set.skip(path, "it is not named APP+CLUSTER+NAMESPACE");
            continue;
        };
        let Some(environment) = parts.environment else {
            set.skip(path, "it is not in a folder APP/ENVIRONMENT");
            continue;
        };
        let Some(content) =
            content(&parts, &entry.content).map_err(|why| ImportError::entry(path, why))?
        else {
            set.skip(path, "it has no content");
            continue;
        };
        let name = parts.file.strip_suffix(".properties").unwrap_or(parts.file);
        let is_public = public.contains(&(parts.app.to_owned(), name.to_owned()));
        let service = if is_public { SHARED } else { parts.app };
        let environment = options.environment(environment);
        let mut place = Place::new(service, &environment.to_ascii_lowercase(), parts.file);
        if options
            .environment_names
            .values()
            .any(|name| name == environment)
        {
            // As it was asked for.
            place.environment = environment.to_owned();
        }
        if parts.cluster != "default" {
            place.environment = format!("{}-{}", place.environment, parts.cluster);
        }
        set.add(&place, None, content, path)?;
    }
    Ok(set.done())
}

/// The text of a namespace; `None` if it has none.
fn content(parts: &Parts<'_>, bytes: &Bytes) -> Result<Option<Bytes>, String> {
    let is_properties = Format::of_file_name(parts.file) == Some(Format::Properties);
    let items: Option<Vec<Item>> = match bytes.trim_ascii_start().first() {
        Some(b'[') => match serde_json::from_slice(bytes) {
            Ok(items) => Some(items),
            // A list of something else: a text of JSON.
            Err(_) if !is_properties => None,
            Err(error) => return Err(format!("its items cannot be read: {error}")),
        },
        _ => None,
    };
    Ok(match items {
        Some(items) if is_properties => Some(properties(items).into()),
        Some(items) => match <[Item; 1]>::try_from(items) {
            Ok([item]) if item.key == CONTENT => item.value.map(Bytes::from),
            _ => Some(bytes.clone()),
        },
        None if bytes.is_empty() && !is_properties => None,
        None => Some(bytes.clone()),
    })
}

/// The lines as Java's properties, with their comments.
fn properties(mut items: Vec<Item>) -> String {
    items.sort_by_key(|item| item.line_num);
    let mut text = String::new();
    for item in items {
        let comment = item.comment.unwrap_or_default();
        for line in comment.lines().filter(|line| !line.trim().is_empty()) {
            if !line.trim_start().starts_with(['#', '!']) {
                text.push_str("# ");
            }
            text.push_str(line);
            text.push('\n');
        }
        match item.key.is_empty() {
            // Lines that are comments, or blank.
            true if comment.trim().is_empty() => text.push('\n'),
            true => {}
            false => {
                let value = item.value.unwrap_or_default();
                text.push_str(&properties::escape_key(&item.key));
                text.push('=');
                text.push_str(&properties::escape_value(&value));
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn entry(path: &str, content: &str) -> Entry {
        Entry {
            path: path.to_owned(),
            content: content.to_owned().into(),
        }
    }

    const ITEMS: &str = r##"[
        {"id": 0, "namespaceId": 0, "key": "pool.size", "type": 0, "value": "8", "comment": "how many", "lineNum": 3,
         "dataChangeCreatedBy": "apollo"},
        {"id": 0, "namespaceId": 0, "key": "", "value": "", "comment": "# the users' pool", "lineNum": 1},
        {"id": 0, "namespaceId": 0, "key": "", "value": "", "comment": "", "lineNum": 2},
        {"id": 0, "namespaceId": 0, "key": "a key", "value": "two\nlines", "lineNum": 4}]"##;

    #[test]
    fn the_portals_export() {
        let entries = [
            entry("apollo/users/app.metadata", "{}"),
            entry(
                "users+shop.common.appnamespace.metadata",
                r#"{"name": "shop.common", "appId": "users", "format": "properties", "isPublic": true, "comment": ""}"#,
            ),
            entry("apollo/users/DEV/default.cluster.metadata", "{}"),
            entry(
                "apollo/users/DEV/users+default+application.properties",
                ITEMS,
            ),
            entry(
                "apollo/users/PRO/users+shanghai+db.yml",
                r#"[{"id": 0, "key": "content", "value": "url: x\n", "lineNum": 1}]"#,
            ),
            entry(
                "apollo/users/PRO/users+default+shop.common.properties",
                "[]",
            ),
            entry(
                "apollo/orders/PRO/orders+default+shop.common.properties",
                "a=1\n",
            ),
            entry("apollo/users/PRO/users+default+list.json", "[1, 2]"),
            entry("apollo/users/PRO/users+default+empty.xml", ""),
            entry("stray+default+x.json", "{}"),
        ];
        assert!(sign(&entries).is_some());
        let mut options = Options::default();
        options
            .environment_names
            .insert("pro".into(), "prod".into());
        let import = read(&entries, &options).unwrap();
        let found: Vec<(&str, &[u8])> = import
            .files
            .iter()
            .map(|file| (&*file.name, &*file.content))
            .collect();
        let properties = "# the users' pool\n\n# how many\npool.size=8\na\\ key=two\\nlines\n";
        let expect: [(&str, &[u8]); 5] = [
            ("_/prod/shop.common.properties", b""),
            ("orders/prod/shop.common.properties", b"a=1\n"),
            ("users/dev/application.properties", properties.as_bytes()),
            ("users/prod-shanghai/db.yml", b"url: x\n"),
            ("users/prod/list.json", b"[1, 2]"),
        ];
        assert_eq!(found, expect);
        let parsed = parse(Format::Properties, properties.as_bytes())
            .unwrap()
            .value();
        assert_eq!(
            parsed,
            Some(serde_json::json!({"pool.size": "8", "a key": "two\nlines"}))
        );
        let skipped: Vec<&str> = import.skipped.iter().map(|skipped| &*skipped.why).collect();
        assert_eq!(
            skipped,
            ["it has no content", "it is not in a folder APP/ENVIRONMENT"]
        );
    }

    #[test]
    fn what_cannot_be_read_names_its_entry() {
        for (path, content) in [
            ("a/DEV/a+default+b.properties", "[{\"key\": 1}]"),
            ("a+b.appnamespace.metadata", "{"),
        ] {
            let error = read(&[entry(path, content)], &Options::default()).unwrap_err();
            assert!(error.to_string().starts_with(path), "{error}");
        }
    }
}
