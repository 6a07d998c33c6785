//! Files outside the platform: no name leads out of its folder, no two share a place, and each leads back. An index that
//! can be read writes back the same.
#![no_main]

use std::collections::{BTreeSet, HashSet};

use guildhall_core::config::{
    ConfigName,
    bundle::{Index, name_of, paths},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(index) = Index::parse(data) {
        assert!(Index::is_one(data));
        let written = index.to_json().expect("an index can be written");
        assert_eq!(Index::parse(written.as_bytes()).unwrap(), index);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut names = BTreeSet::new();
    for line in text.lines() {
        if let Ok(name) = name_of(line) {
            ConfigName::parse(&name).expect("a path that is taken has a name");
            names.insert(name);
        }
        if ConfigName::parse(line).is_ok() {
            names.insert(line.to_owned());
        }
    }
    let parsed = names.iter().map(|name| ConfigName::parse(name).unwrap());
    let paths = paths(parsed);
    assert_eq!(paths.len(), names.len());
    let mut places = HashSet::new();
    for (name, path) in &paths {
        assert!(places.insert(path.to_ascii_lowercase()), "{path} twice");
        assert_eq!(name_of(path).as_deref(), Ok(name.as_str()));
        let parts: Vec<&str> = path.split('/').collect();
        assert_eq!(parts.len(), 3, "{path}");
        for part in parts {
            assert!(!part.is_empty() && !part.starts_with('.') && !part.ends_with('.'));
            assert!(
                part.bytes()
                    .all(|b| b.is_ascii_graphic() && b != b'\\' && b != b':')
            );
        }
    }
});
