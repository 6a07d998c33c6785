//! Records of the store's log: what can be read is what it was when it is written and read again.
#![no_main]

use guildhall_store::embedded::fuzzing::record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(written) = record(data) {
        assert_eq!(record(&written), Some(written));
    }
});
