//! Names of files as paths, and back.
//!
//! A character that some file system does not take, or takes for something else, is written as `%` and two hexadecimal
//! digits. Names cannot have a `%`, so that each path stands for one name.

use std::{borrow::Cow, collections::BTreeMap};

use super::INDEX;
use crate::{config::ConfigName, document::NameError};

/// A path that is of no file of configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Too few or too many parts.
    #[error("a file stands at {{service}}/{{environment}}/{{file}}, this has {0} parts")]
    Parts(usize),
    /// Not a name, even when read as one.
    #[error("it names no file of configuration: {0}")]
    Name(#[from] NameError),
    /// A `%` that does not begin an escape.
    #[error("% is followed by two hexadecimal digits of an ASCII character")]
    Escape,
}

/// Names that Windows takes for devices, whatever extension they have.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Where each of `names` stands, by name. No two paths are the same, even where case does not count.
pub fn paths<'a>(names: impl IntoIterator<Item = ConfigName<'a>>) -> BTreeMap<String, String> {
    let names: Vec<ConfigName<'a>> = names.into_iter().collect();
    // What differs in case only, folder by folder: the first spelling that was seen, until there is another one.
    let mut spellings: BTreeMap<(Cow<'a, str>, String), Option<&'a str>> = BTreeMap::new();
    for name in &names {
        for (folder, part) in parts(*name) {
            let spelling = spellings
                .entry((folder, part.to_ascii_lowercase()))
                .or_insert(Some(part));
            if spelling.is_some_and(|first| first != part) {
                *spelling = None;
            }
        }
    }
    let is_alone = |folder: Cow<'a, str>, part: &str| {
        let spelling = spellings.get(&(folder, part.to_ascii_lowercase()));
        spelling.is_some_and(Option::is_some)
    };
    let path = |name: ConfigName<'a>| {
        let written = parts(name).map(|(folder, part)| escape(part, !is_alone(folder, part)));
        (name.to_string(), written.join("/"))
    };
    names.into_iter().map(path).collect()
}

/// Each part with the folder it stands in.
fn parts(name: ConfigName<'_>) -> [(Cow<'_, str>, &str); 3] {
    let ConfigName {
        service,
        environment,
        file,
    } = name;
    [
        (Cow::Borrowed(""), service),
        (Cow::Borrowed(service), environment),
        (Cow::Owned(format!("{service}/{environment}")), file),
    ]
}

/// A part of a path. `cased`: another one in its folder differs in case only, so that capitals are written as digits.
fn escape(part: &str, cased: bool) -> String {
    let stem = part.split('.').next().unwrap_or_default();
    let is_taken = DEVICES
        .iter()
        .any(|device| stem.eq_ignore_ascii_case(device))
        || part.eq_ignore_ascii_case(INDEX);
    let last = part.len().saturating_sub(1);
    let mut written = String::with_capacity(part.len());
    for (at, c) in part.char_indices() {
        let is_awkward = match c {
            // Hidden files and the folders `.` and `..`; Windows drops a dot at the end.
            '.' => at == 0 || at == last,
            // Another stream of a file on Windows.
            ':' => true,
            _ => at == 0 && is_taken || cased && c.is_ascii_uppercase(),
        };
        match is_awkward {
            true => written.push_str(&format!("%{:02X}", u32::from(c))),
            false => written.push(c),
        }
    }
    written
}

/// The name that stands at a path.
///
/// # Errors
/// It is no path of a file of configuration.
pub fn name_of(path: &str) -> Result<String, PathError> {
    let parts = path.split('/').count();
    if parts != 3 {
        return Err(PathError::Parts(parts));
    }
    let name = unescape(path)?;
    ConfigName::parse(&name)?;
    Ok(name)
}

fn unescape(path: &str) -> Result<String, PathError> {
    let mut pieces = path.split('%');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).ok_or(PathError::Escape)?;
        let byte = u8::from_str_radix(digits, 16).map_err(|_| PathError::Escape)?;
        if !byte.is_ascii() || digits.starts_with('+') {
            return Err(PathError::Escape);
        }
        name.push(char::from(byte));
        name.push_str(rest);
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(name: &str) -> String {
        let name = ConfigName::parse(name).unwrap();
        paths([name]).remove(&name.to_string()).unwrap()
    }

    #[test]
    fn usual_names_stand_as_they_are_and_awkward_ones_are_escaped() {
        for (name, expect) in [
            ("users/prod/app.yaml", "users/prod/app.yaml"),
            ("_/_/App.Yaml", "_/_/App.Yaml"),
            ("users/_/.env", "users/_/%2Eenv"),
            ("../../..", "%2E%2E/%2E%2E/%2E%2E"),
            ("a:b/con/NUL.txt", "a%3Ab/%63on/%4EUL.txt"),
            ("guildhall.json/_/a.", "%67uildhall.json/_/a%2E"),
            ("a/_/console.yaml", "a/_/console.yaml"),
        ] {
            assert_eq!(path(name), expect);
            assert_eq!(name_of(expect).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_that_differ_in_case_only_do_not_share_a_path() {
        let names = [
            "Users/_/a",
            "users/_/a",
            "users/_/App",
            "users/_/app",
            "users/_/Alone",
        ];
        let paths = paths(names.map(|name| ConfigName::parse(name).unwrap()));
        let paths: Vec<&str> = paths.values().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "%55sers/_/a",
                "users/_/Alone",
                "users/_/%41pp",
                "users/_/a",
                "users/_/app"
            ]
        );
    }

    #[test]
    fn what_is_no_path_of_a_file_is_refused() {
        for (path, expect) in [
            ("a", PathError::Parts(1)),
            ("/a/b/c", PathError::Parts(4)),
            ("a/b/c%", PathError::Escape),
            ("a/b/c%+1", PathError::Escape),
            ("a/b/c%FF", PathError::Escape),
            ("a/b/", PathError::Name(NameError::Empty)),
        ] {
            assert_eq!(name_of(path), Err(expect), "{path}");
        }
        // An escape does not make parts.
        for hostile in ["a/b/..%2F..", "a/b/c%00", "a/b\\c/d", "a/b/\u{e9}"] {
            assert!(
                matches!(name_of(hostile), Err(PathError::Name(_))),
                "{hostile}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_name_has_a_path_of_its_own_that_leads_back(
            names in prop::collection::btree_set("[A-Ca-c.:]{1,3}/(_|[Aa.]{1,2})/[A-Ca-c._:#@+-]{1,4}", 1..20)
        ) {
            let parsed = names.iter().map(|name| ConfigName::parse(name).unwrap());
            let paths = paths(parsed);
            let mut seen = std::collections::BTreeSet::new();
            for (name, path) in &paths {
                prop_assert!(seen.insert(path.to_ascii_lowercase()), "{path}");
                prop_assert_eq!(&name_of(path).unwrap(), name);
                for part in path.split('/') {
                    prop_assert!(!part.starts_with('.') && !part.ends_with('.') && !part.contains(':'));
                }
            }
        }
    }
}
