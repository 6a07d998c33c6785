//! Archives that are imported: no entry leads out of its folder, none is read twice, and no more is unpacked than may be.
//!
//! The command line's source is compiled into the target: the whole server would take minutes more.
#![no_main]

#[allow(dead_code, reason = "the command line uses more of it")]
#[rustfmt::skip]
#[path = "../../crates/guildhall-server/src/cli/config/zip.rs"]
mod archives;

/// What the command line has beside it.
mod archive {
    pub(super) struct Limits {
        pub(super) files: usize,
        pub(super) file: u64,
        pub(super) total: u64,
    }
}

/// Writing is not what is looked at.
mod export {
    pub(super) fn write(_: &std::path::Path, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
}

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;

const LIMITS: archive::Limits = archive::Limits {
    files: 16,
    file: 1 << 16,
    total: 1 << 17,
};

fuzz_target!(|data: &[u8]| {
    let Ok(entries) = archives::read(data, &LIMITS) else {
        return;
    };
    assert!(entries.len() <= LIMITS.files);
    let total: u64 = entries.iter().map(|entry| entry.content.len() as u64).sum();
    assert!(total <= LIMITS.total);
    let mut seen = BTreeSet::new();
    for entry in &entries {
        assert!(seen.insert(&entry.path), "{} twice", entry.path);
        assert!(entry.content.len() as u64 <= LIMITS.file);
        assert!(!entry.path.bytes().any(|b| b < b' ' || b == b'\\'));
        for part in entry.path.split('/') {
            assert!(!matches!(part, "" | "." | ".."), "{}", entry.path);
        }
    }
});
