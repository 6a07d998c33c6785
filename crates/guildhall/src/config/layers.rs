//! Texts laid over each other and read as a `T`. Pure.

use std::sync::Arc;

use guildhall_core::{
    config::{Effective, Format, Layer, Node, Parsed, Source, Value, merge, parse},
    document::decode,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

/// A text and where it is from, for messages.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) origin: String,
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
}

impl Text {
    fn parsed(&self) -> Result<Layer, String> {
        let parsed = parse(self.format, &self.bytes)
            .map_err(|error| format!("{} is not {}: {error}", self.origin, self.format))?;
        layer(&self.origin, parsed)
    }
}

fn layer(origin: &str, parsed: Parsed) -> Result<Layer, String> {
    if parsed.root().is_none() {
        let format = parsed.format();
        return Err(format!(
            "{origin} is {format}, which has no values to be read"
        ));
    }
    Ok(Layer {
        source: Arc::new(Source {
            config: origin.to_owned(),
            version: 0,
            gray: None,
        }),
        content: Arc::new(parsed),
    })
}

/// Lays `texts` over each other, the later winning, then the variables of the environment that begin with `prefix`, and
/// reads the result.
pub(super) fn read<T: DeserializeOwned>(
    texts: &[Text],
    prefix: &str,
    variables: &[(String, String)],
) -> Result<T, String> {
    let mut layers: Vec<Layer> = texts.iter().map(Text::parsed).collect::<Result<_, _>>()?;
    let below = merged(&layers)?;
    let over = environment(prefix, variables, &below);
    if over.as_object().is_some_and(|over| !over.is_empty()) {
        let parsed = parse(Format::Json, over.to_string().as_bytes());
        let parsed = parsed.map_err(|error| format!("the environment: {error}"))?;
        layers.push(layer("the environment", parsed)?);
    }
    let value = merged(&layers)?;
    decode::<T>(&value.to_string(), "").map_err(|problems| {
        let told = problems.0.iter().map(|problem| {
            let place = written(&layers, &problem.pointer);
            // That place is one in the merged text, which nobody wrote.
            let detail = problem.detail.split(" at line ").next().unwrap_or_default();
            format!("{} ({place}): {detail}", name(&problem.pointer))
        });
        told.collect::<Vec<_>>().join("; ")
    })
}

fn name(pointer: &str) -> &str {
    if pointer.is_empty() { "/" } else { pointer }
}

fn merged(layers: &[Layer]) -> Result<Json, String> {
    let none = Json::Object(Map::new());
    if layers.is_empty() {
        return Ok(none);
    }
    let root = |layer: &Layer| layer.content.value();
    let value = match merge(layers).map_err(|error| error.to_string())? {
        Effective::AsWritten(at) => layers.get(at).and_then(root),
        Effective::Merged(merged) => Some(merged.root.to_json()),
    };
    // An empty file says nothing.
    Ok(value.filter(|value| !value.is_null()).unwrap_or(none))
}

/// Where the value at `pointer` was written: in the uppermost layer that has it, or that has what it is missing in.
fn written(layers: &[Layer], pointer: &str) -> String {
    let mut pointer = pointer;
    loop {
        let has = |layer: &&Layer| {
            let root = layer.content.root();
            root.is_some_and(|root| root.get(pointer).is_some())
        };
        if let Some(layer) = layers.iter().rev().find(has) {
            let origin = &layer.source.config;
            return match layer.content.position(pointer) {
                Some(position) if !pointer.is_empty() => format!("{origin}, {position}"),
                _ => origin.clone(),
            };
        }
        match pointer.rsplit_once('/') {
            Some((above, _)) => pointer = above,
            None => return "nowhere".to_owned(),
        }
    }
}

/// `PREFIX__POOL__MAX_SIZE=8` as `{"pool": {"maxSize": 8}}`: a part means the key that `below` has there, whatever its
/// case, dashes and underscores; else itself in lower case. A value is read as YAML reads a scalar.
fn environment(prefix: &str, variables: &[(String, String)], below: &Json) -> Json {
    let mut all = Json::Object(Map::new());
    let prefix = format!("{prefix}__");
    for (name, value) in variables {
        let Some(path) = name.strip_prefix(&prefix).filter(|path| !path.is_empty()) else {
            continue;
        };
        let (mut here, mut known) = (&mut all, Some(below));
        for part in path.split("__") {
            let object = known.and_then(Json::as_object);
            let same =
                object.and_then(|object| object.keys().find(|key| loose(key) == loose(part)));
            let key = same.cloned().unwrap_or_else(|| part.to_lowercase());
            known = object.and_then(|object| object.get(&key));
            if !here.is_object() {
                *here = Json::Object(Map::new());
            }
            let Json::Object(members) = here else { break };
            here = members.entry(key).or_insert(Json::Null);
        }
        *here = scalar(value);
    }
    all
}

fn loose(key: &str) -> String {
    let letters = key.chars().filter(|letter| !matches!(letter, '-' | '_'));
    letters.flat_map(char::to_lowercase).collect()
}

/// A list or an object may be given as YAML, too; what is none is text.
fn scalar(text: &str) -> Json {
    let read = parse(Format::Yaml, text.as_bytes()).ok();
    match read.as_ref().and_then(Parsed::root) {
        Some(Node {
            value: Value::Null, ..
        })
        | None => Json::String(text.to_owned()),
        Some(node) => node.to_json(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Pool {
        max_size: u32,
        #[serde(default)]
        name: String,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct App {
        pool: Pool,
        #[serde(default)]
        tags: Vec<String>,
    }

    fn text(origin: &str, format: Format, text: &str) -> Text {
        Text {
            origin: origin.to_owned(),
            format,
            bytes: text.into(),
        }
    }

    fn variables(all: &[(&str, &str)]) -> Vec<(String, String)> {
        let all = all.iter();
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn later_layers_win_and_the_environment_over_all() {
        let texts = [
            text(
                "app.toml",
                Format::Toml,
                "[pool]\nmaxSize = 1\nname = 'local'\n",
            ),
            text("platform", Format::Yaml, "pool: {maxSize: 2}\n"),
        ];
        let read = |all: &[(&str, &str)]| read::<App>(&texts, "USERS", &variables(all));
        let pool = |max_size, name: &str, tags: &[&str]| {
            Ok(App {
                pool: Pool {
                    max_size,
                    name: name.to_owned(),
                },
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            })
        };
        assert_eq!(read(&[]), pool(2, "local", &[]));
        assert_eq!(
            read(&[("USERS__POOL__MAX_SIZE", "3")]),
            pool(3, "local", &[])
        );
        assert_eq!(
            read(&[
                ("USERS__POOL__NAME", "a: b"),
                ("USERS__TAGS", "[x, y]"),
                ("OTHER__POOL", "1")
            ])
            .map_err(|error| error.contains("/pool/name")),
            Err(true),
            "an object where text is wanted"
        );
        assert_eq!(
            read(&[("USERS__TAGS", "[x, y]")]),
            pool(2, "local", &["x", "y"])
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let read = |texts: &[Text]| read::<App>(texts, "USERS", &[]).unwrap_err();
        let platform = text(
            "users/prod/app.yaml@3",
            Format::Yaml,
            "pool:\n  maxSize: many\n",
        );
        assert_eq!(
            read(std::slice::from_ref(&platform)),
            "/pool/maxSize (users/prod/app.yaml@3, line 2, column 12): invalid type: string \"many\", expected u32"
        );
        let said = read(&[text("app.yaml", Format::Yaml, "pool: {}\n")]);
        assert!(
            said.starts_with("/pool (app.yaml, line 1, column 7): missing field `maxSize`"),
            "{said}"
        );
        assert!(read(&[]).contains("missing field `pool`"));
        let said = read(&[text("a.json", Format::Json, "{")]);
        assert!(said.starts_with("a.json is not json: line 1"), "{said}");
        let said = read(&[text("a.txt", Format::Text, "x")]);
        assert!(said.contains("has no values"), "{said}");
    }

    #[test]
    fn variables_name_keys_loosely() {
        let below = json!({"poolSize": 1, "log-level": "info"});
        let all = variables(&[
            ("A__POOL_SIZE", "2"),
            ("A__LOGLEVEL", "warn"),
            ("A__NEW__KEY", "true"),
        ]);
        assert_eq!(
            environment("A", &all, &below),
            json!({"poolSize": 2, "log-level": "warn", "new": {"key": true}})
        );
        assert_eq!(
            environment("A", &variables(&[("A__X", "")]), &below),
            json!({"x": ""})
        );
    }
}
