//! Exports of other systems: whatever their entries hold, what comes of them are names of files here, none twice.
//!
//! The first part is the source's letter (`n`, `a`, `c`, `g`) and `p` for plain names, then a prefix of keys; each other
//! part is a path in one line and the bytes below it.
#![no_main]

use std::collections::BTreeSet;

use bytes::Bytes;
use guildhall_core::config::{
    ConfigName,
    import::{Entry, Naming, Options, Source},
};
use guildhall_fuzz::parts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let Some((head, entries)) = parts.split_first() else {
        return;
    };
    let entries: Vec<Entry> = entries
        .iter()
        .take(16)
        .filter_map(|part| {
            let end = part.iter().position(|byte| *byte == b'\n')?;
            Some(Entry {
                path: std::str::from_utf8(&part[..end]).ok()?.to_owned(),
                content: Bytes::copy_from_slice(&part[end + 1..]),
            })
        })
        .collect();
    let guessed = Source::guess(&entries);
    let source = match head.first() {
        Some(b'n') => Source::Nacos,
        Some(b'a') => Source::Apollo,
        Some(b'c') => Source::Consul,
        Some(b'g') => Source::Guildhall,
        _ => match guessed {
            Ok((source, _)) => source,
            Err(_) => return,
        },
    };
    let mut options = Options::default();
    if head.get(1) == Some(&b'p') {
        options.naming = Naming::Plain;
    }
    let prefix = head.get(2..).unwrap_or_default();
    let prefix = std::str::from_utf8(prefix).unwrap_or_default();
    options.prefix = Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty());
    match source.read(&entries, &options) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(import) => {
            let mut seen = BTreeSet::new();
            for file in &import.files {
                let name = ConfigName::parse(&file.name);
                assert!(name.is_ok(), "{:?}: {name:?}", file.name);
                assert!(seen.insert(&file.name), "{:?} comes twice", file.name);
                assert!(!file.origin.is_empty());
                if let Some(about) = &file.about {
                    assert!(about.spec(&file.name).is_ok());
                }
            }
            assert!(import.skipped.iter().all(|skipped| !skipped.why.is_empty()));
        }
    }
});
