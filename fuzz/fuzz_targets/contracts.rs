//! Contracts of services: any two documents can be compared, none breaks itself, and what is told is bounded.
#![no_main]

use guildhall_core::registry::{
    Contract, ContractFormat,
    contract::{Direction, MAX_CHANGES, compare, compare_schemas},
};
use guildhall_fuzz::parts;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let [old, new] = parts.as_slice() else { return };
    let read = |part: &&[u8]| serde_json::from_slice::<Value>(part).ok();
    let (Some(old), Some(new)) = (read(old), read(new)) else {
        return;
    };
    for format in [ContractFormat::OpenApi, ContractFormat::JsonSchema] {
        let contract = |document: &Value| Contract {
            format,
            document: document.clone(),
        };
        let changes = compare(&contract(&old), &contract(&new));
        assert!(changes.len() <= MAX_CHANGES + 1, "{}", changes.len());
        assert!(changes.iter().all(|change| !change.detail.is_empty()));
    }
    for direction in [Direction::Input, Direction::Output] {
        let _ = compare_schemas(&old, &new, direction);
    }
});
