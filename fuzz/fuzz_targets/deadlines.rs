//! Headers that say how long: what is told further is never longer than what was told, and always can be read.
#![no_main]

use std::time::{Duration, SystemTime};

use guildhall_resilience::{
    deadline::header::{
        format_envoy_expected, format_grpc_timeout, parse_envoy_expected, parse_grpc_timeout,
    },
    retry::retry_after,
    shed::Criticality,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Some(left) = parse_grpc_timeout(text) {
        let told = format_grpc_timeout(left).to_string();
        let read = parse_grpc_timeout(&told).unwrap_or_else(|| panic!("{told} of {text}"));
        // One nanosecond is the least that can be told.
        assert!(read <= left.max(Duration::from_nanos(1)), "{text} {told}");
        assert!(read + read / 1000 >= left, "{text} {told}");
    }
    if let Some(left) = parse_envoy_expected(text) {
        let told = format_envoy_expected(left).to_string();
        assert_eq!(parse_envoy_expected(&told), Some(left));
    }
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    if let Some(pause) = retry_after::parse(text, wall) {
        let told = retry_after::format(pause).to_string();
        let read = retry_after::parse(&told, wall).expect("seconds can be read");
        assert!(read >= pause, "{text}: {told}");
    }
    if let Some(class) = Criticality::from_name(text) {
        assert_eq!(class.name(), text);
    }
});
