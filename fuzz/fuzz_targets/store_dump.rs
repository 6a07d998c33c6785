//! Snapshots and checkpoints of the store: what can be read is what it was when it is written and read again.
#![no_main]

use guildhall_store::{BlobHash, embedded::fuzzing::dump};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for carried in [true, false] {
        if let Some(written) = dump(data, carried) {
            assert_eq!(dump(&written, carried), Some(written));
        }
    }
    // One with a checksum that holds, whatever is in it.
    if let Some(written) = dump(data, true)
        && let Ok(text) = std::str::from_utf8(data)
        && let Ok(hash) = text.parse::<BlobHash>()
    {
        assert_eq!(hash.to_string(), text);
        assert!(!written.is_empty());
    }
});
