//! Our own bundles, and folders that somebody laid out like them.

use super::{Entry, File, Import, ImportError, Options, set::Set};
use crate::config::{
    ConfigName,
    bundle::{INDEX, Index, name_of},
};

/// What tells that an export is ours.
pub(super) fn sign(entries: &[Entry]) -> Option<&'static str> {
    let index = entries.iter().find(|entry| entry.path == INDEX);
    if index.is_some_and(|entry| Index::is_one(&entry.content)) {
        return Some("it has an index");
    }
    let is_ours = |entry: &Entry| name_of(&entry.path).is_ok() && !entry.path.contains('+');
    let all = !entries.is_empty() && entries.iter().all(is_ours);
    all.then_some("its files stand at service/environment/file")
}

pub(super) fn read(entries: &[Entry], options: &Options) -> Result<Import, ImportError> {
    let mut set = Set::new(options);
    let index = entries.iter().find(|entry| entry.path == INDEX);
    let mut index = match index {
        Some(entry) => Some(Index::parse(&entry.content)?),
        None => None,
    };
    for entry in entries.iter().filter(|entry| entry.path != INDEX) {
        let name = match name_of(&entry.path) {
            Ok(name) => name,
            Err(error) => {
                set.skip(&entry.path, error);
                continue;
            }
        };
        let about = index
            .as_mut()
            .map(|index| index.files.remove(&name).unwrap_or_default());
        let ConfigName {
            service,
            environment,
            file,
        } = ConfigName::parse(&name).map_err(|error| ImportError::entry(&entry.path, error))?;
        let (service, environment) = (options.service(service), options.environment(environment));
        let mapped = format!("{service}/{environment}/{file}");
        ConfigName::parse(&mapped).map_err(|error| ImportError::entry(&entry.path, error))?;
        set.add_file(File {
            name: mapped,
            format: None,
            content: entry.content.clone(),
            about,
            origin: entry.path.clone(),
        })?;
    }
    for name in index.iter().flat_map(|index| index.files.keys()) {
        set.skip(name, "the index names it, but it is not there");
    }
    Ok(set.done())
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

    #[test]
    fn the_index_says_the_rest_and_the_general_goes_first() {
        let index = r#"{"kind": "ConfigBundle", "files": {
            "users/prod/settings": {"labels": {"team": "shop"}, "spec": {"format": "yaml"}},
            "users/_/gone": {"labels": {"a": "b"}}}}"#;
        let entries = [
            entry("guildhall.json", index),
            entry("users/prod/settings", "a: 1"),
            entry("%41/_/%2Eenv", "A=1"),
            entry("_/_/app.yaml", "b: 2"),
            entry("README.md", "notes"),
        ];
        let mut options = Options::default();
        options
            .environment_names
            .insert("prod".into(), "live".into());
        let import = read(&entries, &options).unwrap();
        let names: Vec<&str> = import.files.iter().map(|file| &*file.name).collect();
        assert_eq!(names, ["_/_/app.yaml", "A/_/.env", "users/live/settings"]);
        let about = import.files[2].about.as_ref().unwrap();
        assert_eq!(about.labels["team"], "shop");
        assert_eq!(about.spec["format"], "yaml");
        let skipped: Vec<&str> = import
            .skipped
            .iter()
            .map(|skipped| &*skipped.origin)
            .collect();
        assert_eq!(skipped, ["README.md", "users/_/gone"]);
    }

    #[test]
    fn one_name_twice_is_refused_and_a_plain_folder_says_nothing_of_labels() {
        let twice = [entry("a/_/b", "1"), entry("%61/_/b", "2")];
        let error = read(&twice, &Options::default()).unwrap_err().to_string();
        assert!(
            error.starts_with("a/_/b and %61/_/b both come to a/_/b"),
            "{error}"
        );
        let plain = read(&twice[..1], &Options::default()).unwrap();
        assert_eq!(plain.files[0].about, None);
    }
}
