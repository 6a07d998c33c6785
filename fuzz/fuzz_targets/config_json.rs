//! Content as JSON: errors and values have places in it, what was read renders as text that reads the same, and
//! serde_json reads the same values.
#![no_main]

use guildhall_core::config::{Format, parse};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    guildhall_fuzz::check_format(Format::Json, data);
    let Ok(parsed) = parse(Format::Json, data) else {
        return;
    };
    let plain = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let other: Value = serde_json::from_slice(plain).expect("serde_json reads what we read");
    let own = parsed.value().expect("JSON has values");
    assert!(is_same(&own, &other), "{own} and {other}");
});

/// The same but for the last digit of a float, which serde_json does not keep.
fn is_same(own: &Value, other: &Value) -> bool {
    match (own, other) {
        (Value::Number(own), Value::Number(other)) => {
            let (own, other) = (own.as_f64(), other.as_f64());
            let (own, other) = (own.unwrap_or(0.0), other.unwrap_or(0.0));
            (own - other).abs() <= own.abs() * 1e-12
        }
        (Value::Array(own), Value::Array(other)) => {
            own.len() == other.len() && own.iter().zip(other).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(own), Value::Object(other)) => {
            let same = |(key, a)| other.get(key).is_some_and(|b| is_same(a, b));
            own.len() == other.len() && own.iter().all(same)
        }
        _ => own == other,
    }
}
