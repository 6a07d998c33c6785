//! A checkpoint whose file was damaged: what is read is what was written, or an error; never other bytes, never less.
//!
//! The first part is the state, the second damages: three bytes each for a place and what is done there. A third is a whole
//! file instead.
#![no_main]

use std::{
    io::{Read, Write},
    sync::Arc,
};

use guildhall_fuzz::parts;
use guildhall_log::{Sequence, checkpoint, files::Files};
use guildhall_testkit::files::FaultyFiles;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let mut parts = parts.into_iter();
    let mut part = || parts.next().unwrap_or_default();
    let (state, damage, file) = (part(), part(), part());
    let disk = FaultyFiles::new();
    let files: Arc<dyn Files> = Arc::new(disk.clone());
    let writer = checkpoint::Writer::create(Arc::clone(&files), "state", Sequence::new(7));
    let mut writer = writer.expect("a disk without faults takes a file");
    writer.write_all(state).expect("and bytes");
    writer.finish().expect("and a name");
    assert_eq!(read(&files).as_deref(), Some(state));
    let Some(name) = files.list().expect("a list").into_iter().next() else {
        return;
    };
    for change in damage.chunks_exact(3).take(16) {
        let [high, low, what] = *change else { continue };
        let at = usize::from(high) << 8 | usize::from(low);
        disk.corrupt(&name, |bytes| {
            let at = at % bytes.len().max(1);
            match what {
                0 => bytes.truncate(at),
                1 => bytes[at..].fill(0),
                2 => bytes.extend_from_within(at..),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= what;
                    }
                }
            }
        });
    }
    if let Some(read) = read(&files) {
        assert!(read == state, "{read:?}");
    }
    if !file.is_empty() {
        disk.corrupt(&name, |bytes| *bytes = file.to_vec());
        let _ = read(&files);
    }
});

/// The state, if it can be read whole.
fn read(files: &Arc<dyn Files>) -> Option<Vec<u8>> {
    let mut reader = checkpoint::latest(files, "state").ok()??;
    assert_eq!(reader.sequence(), Sequence::new(7));
    let mut state = Vec::new();
    reader.read_to_end(&mut state).ok().map(|_| state)
}
