//! Nacos: the zip archive that its console and its `export` and `exportV2` calls make of one namespace.
//!
//! | entry | what |
//! |---|---|
//! | `{group}/{dataId}` | a content, in UTF-8 |
//! | `.metadata.yml` | version 2: `metadata` is a list of `{group, dataId, type, appName, desc, configTags}` |
//! | `.meta.yml` | version 1: lines `{group}.{dataId, its last dot a ~}.app={appName}`; absent if no content has an app |
//!
//! By Spring Cloud's naming the data id is `{application}-{profile}.{extension}`, and a group that is called like an
//! environment is one. By plain naming the data id is the file; its service is the app, else the group, else `_`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Entry, Import, ImportError, Naming, Options,
    set::{Place, Set},
    spring,
};
use crate::config::{Format, SHARED, format::parsed::tree};

const METADATA: &str = ".metadata.yml";
const METADATA_V1: &str = ".meta.yml";
const DEFAULT_GROUP: &str = "DEFAULT_GROUP";

/// What tells that an export is of Nacos.
pub(super) fn sign(entries: &[Entry]) -> Option<&'static str> {
    let has = |path: &str| entries.iter().any(|entry| entry.path == path);
    if has(METADATA) || has(METADATA_V1) {
        return Some("it has Nacos' metadata");
    }
    let in_group = |entry: &Entry| {
        let (group, id) = entry.path.split_once('/')?;
        Some(group.ends_with("_GROUP") && !id.contains('/'))
    };
    let all = !entries.is_empty() && entries.iter().all(|entry| in_group(entry) == Some(true));
    all.then_some("its folders are groups")
}

/// What the metadata says of a content.
#[derive(Default)]
struct Said {
    format: Option<Format>,
    app: Option<String>,
}

pub(super) fn read(entries: &[Entry], options: &Options) -> Result<Import, ImportError> {
    let find = |path: &str| entries.iter().find(|entry| entry.path == path);
    let mut said = match (find(METADATA), find(METADATA_V1)) {
        (Some(entry), _) => metadata(entry)?,
        (None, Some(entry)) => metadata_v1(entry)?,
        (None, None) => BTreeMap::new(),
    };
    let mut set = Set::new(options);
    for entry in entries {
        if entry.path == METADATA || entry.path == METADATA_V1 {
            continue;
        }
        let Some((group, id)) = entry
            .path
            .split_once('/')
            .filter(|(_, id)| !id.contains('/'))
        else {
            set.skip(&entry.path, "it is not at GROUP/DATA-ID");
            continue;
        };
        let said = said.remove(&entry.path).unwrap_or_default();
        let place = place(group, id, said.app.as_deref(), options);
        set.add(&place, said.format, entry.content.clone(), &entry.path)?;
    }
    // What the first version says of the app stands by another key, and needs no file.
    if find(METADATA).is_some() {
        for path in said.keys() {
            set.skip(path, "the metadata names it, but it is not there");
        }
    }
    Ok(set.done())
}

fn place(group: &str, id: &str, app: Option<&str>, options: &Options) -> Place {
    let word = group.strip_suffix("_GROUP").unwrap_or(group);
    let environment = options
        .is_environment(word)
        .then(|| word.to_ascii_lowercase());
    match options.naming {
        Naming::Spring => {
            let extension = Format::of_file_name(id).and_then(|_| id.rsplit_once('.'));
            let mut place = spring::place(id, extension.map(|(_, extension)| extension), options);
            if let Some(environment) = environment
                && place.environment == SHARED
            {
                place.environment = environment;
            }
            place
        }
        Naming::Plain => {
            let owner = match &environment {
                None if group != DEFAULT_GROUP => group,
                _ => SHARED,
            };
            let environment = environment.as_deref().unwrap_or(SHARED);
            Place::new(app.unwrap_or(owner), environment, id)
        }
    }
}

/// Version 2: by path.
fn metadata(entry: &Entry) -> Result<BTreeMap<String, Said>, ImportError> {
    let wrong = |why: &dyn std::fmt::Display| ImportError::entry(METADATA, why);
    let text = std::str::from_utf8(&entry.content).map_err(|error| wrong(&error))?;
    let tree = tree(Format::Yaml, text).map_err(|error| wrong(&error))?;
    let value = serde_json::to_value(tree).map_err(|error| wrong(&error))?;
    let Some(Value::Array(items)) = value.get("metadata") else {
        return Err(wrong(&"it has no list metadata"));
    };
    let mut said = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        let field = |name: &str| match item.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let (Some(group), Some(id)) = (field("group"), field("dataId")) else {
            return Err(wrong(&format_args!(
                "item {} has no group or no dataId",
                at + 1
            )));
        };
        let one = Said {
            format: field("type").as_deref().and_then(format),
            app: field("appName"),
        };
        said.insert(format!("{group}/{id}"), one);
    }
    Ok(said)
}

/// Nacos' types; `unset` and what is not known say nothing.
fn format(word: &str) -> Option<Format> {
    Some(match word.to_ascii_lowercase().as_str() {
        "json" => Format::Json,
        "yaml" | "yml" => Format::Yaml,
        "toml" => Format::Toml,
        "properties" => Format::Properties,
        "text" | "xml" | "html" => Format::Text,
        _ => return None,
    })
}

/// Version 1: by path.
fn metadata_v1(entry: &Entry) -> Result<BTreeMap<String, Said>, ImportError> {
    let wrong = |why: &dyn std::fmt::Display| ImportError::entry(METADATA_V1, why);
    let text = std::str::from_utf8(&entry.content).map_err(|error| wrong(&error))?;
    let mut said = BTreeMap::new();
    for (at, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let parsed = line.split_once('=').and_then(|(key, app)| {
            let (group, id) = key.strip_suffix(".app")?.split_once('.')?;
            let id = match id.rsplit_once('~') {
                Some((stem, extension)) => format!("{stem}.{extension}"),
                None => id.to_owned(),
            };
            Some((format!("{group}/{id}"), app.trim()))
        });
        let Some((path, app)) = parsed else {
            return Err(wrong(&format_args!(
                "line {} is not GROUP.DATA-ID.app=APP",
                at + 1
            )));
        };
        let one = Said {
            format: None,
            app: Some(app.to_owned()),
        };
        said.insert(path, one);
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, content: &str) -> Entry {
        Entry {
            path: path.to_owned(),
            content: content.to_owned().into(),
        }
    }

    const V2: &str = "\
metadata:
- appName: ''
  dataId: users-prod.yaml
  desc: the users' pool
  group: DEFAULT_GROUP
  type: yaml
- appName: billing
  dataId: limits
  group: PAY
  type: json
- dataId: gone.yaml
  group: DEFAULT_GROUP
  type: yaml
";

    fn v2() -> Vec<Entry> {
        vec![
            entry("DEFAULT_GROUP/users-prod.yaml", "pool: 8\n"),
            entry("DEFAULT_GROUP/application.properties", "a=1\n"),
            entry("UAT_GROUP/users.yaml", "pool: 2\n"),
            entry("PAY/limits", "{}"),
            entry("a/b/c", ""),
            entry(METADATA, V2),
        ]
    }

    fn names(entries: &[Entry], naming: Naming) -> Vec<(String, Option<Format>)> {
        let options = Options {
            naming,
            ..Options::default()
        };
        let import = read(entries, &options).unwrap();
        import
            .files
            .into_iter()
            .map(|file| (file.name, file.format))
            .collect()
    }

    #[test]
    fn version_2_by_both_namings() {
        let spring = names(&v2(), Naming::Spring);
        assert_eq!(
            spring,
            [
                ("_/_/application.properties".to_owned(), None),
                ("limits/_/application".to_owned(), Some(Format::Json)),
                ("users/prod/application.yaml".to_owned(), None),
                ("users/uat/application.yaml".to_owned(), None),
            ]
        );
        let plain: Vec<String> = names(&v2(), Naming::Plain)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let expect = [
            "_/_/application.properties",
            "_/_/users-prod.yaml",
            "billing/_/limits",
            "_/uat/users.yaml",
        ];
        assert_eq!(plain, expect);
        let skipped = read(&v2(), &Options::default()).unwrap().skipped;
        let skipped: Vec<&str> = skipped.iter().map(|skipped| &*skipped.origin).collect();
        assert_eq!(skipped, ["a/b/c", "DEFAULT_GROUP/gone.yaml"]);
    }

    #[test]
    fn version_1_says_apps() {
        let entries = [
            entry("DEFAULT_GROUP/a.b.yaml", "x: 1"),
            entry("OTHER/noext", "x"),
            entry(
                METADATA_V1,
                "DEFAULT_GROUP.a.b~yaml.app=users\r\nOTHER.noext.app=orders\r\n",
            ),
        ];
        let plain: Vec<String> = names(&entries, Naming::Plain)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(plain, ["orders/_/noext", "users/_/a.b.yaml"]);
        let broken = [entry(METADATA_V1, "nonsense")];
        let error = read(&broken, &Options::default()).unwrap_err().to_string();
        assert_eq!(error, ".meta.yml: line 1 is not GROUP.DATA-ID.app=APP");
    }

    #[test]
    fn metadata_that_is_none_and_two_groups_of_one_name_are_told() {
        let error = |entries: &[Entry]| read(entries, &Options::default()).unwrap_err().to_string();
        assert!(error(&[entry(METADATA, "a: [")]).starts_with(".metadata.yml: "));
        assert_eq!(
            error(&[entry(METADATA, "a: 1")]),
            ".metadata.yml: it has no list metadata"
        );
        let twice = [entry("A/users.yaml", ""), entry("B/users.yaml", "")];
        assert!(error(&twice).starts_with("A/users.yaml and B/users.yaml both come to users/_/"));
    }
}
