//! What gateways and services report of their breakers and limits: what is taken writes back the same.
#![no_main]

use guildhall_core::{document::decode, policy::report::Report};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(report) = decode::<Report>(text, "") else {
        return;
    };
    if report.validate().is_err() {
        return;
    }
    for breaker in &report.breakers {
        let rate = breaker.failure_rate();
        assert!(rate.is_none_or(|rate| !rate.is_nan()));
        let _ = (breaker.key(), breaker.why());
    }
    for limit in &report.limits {
        let _ = (limit.key(), limit.shared());
    }
    let written = serde_json::to_string(&report).expect("a report can be written");
    let again = decode::<Report>(&written, "").unwrap_or_else(|e| panic!("{e:?}: {written}"));
    assert_eq!(again, report);
});
