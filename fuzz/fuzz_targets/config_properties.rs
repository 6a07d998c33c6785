//! Content as properties: errors and values have places in it, and what was read renders as text that reads the same.
#![no_main]

use guildhall_core::config::Format;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    guildhall_fuzz::check_format(Format::Properties, data);
});
