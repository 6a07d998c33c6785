//! JSON Schemas: any of them compiles or says why not, any content is checked in bounds, and what is hidden is not told.
#![no_main]

use guildhall_core::config::{
    Value,
    schema::{MAX_VIOLATIONS, Schema},
};
use guildhall_fuzz::{content, parts};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let [schema, given] = parts.as_slice() else {
        return;
    };
    let Some(parsed) = content(schema) else {
        return;
    };
    let compiled = match Schema::compile(&parsed) {
        Ok(compiled) => compiled,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let Some(given) = content(given) else { return };
    let (Some(value), Some(root)) = (given.value(), given.root()) else {
        return;
    };
    let told = compiled.violations(&value, false);
    let hidden = compiled.violations(&value, true);
    assert_eq!(told.len(), hidden.len());
    assert!(told.len() <= MAX_VIOLATIONS);
    let rules = parsed.text().unwrap_or_default();
    root.walk(&mut |_, node| {
        if let Value::String(secret) = &node.value
            && secret.len() >= 8
            && secret.bytes().all(|b| b.is_ascii_digit())
            && !rules.contains(secret.as_str())
        {
            for violation in &hidden {
                assert!(!violation.detail.contains(secret.as_str()), "{violation:?}");
            }
        }
        true
    });
});
