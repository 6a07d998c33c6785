//! A status' details: a `google.rpc.Status` with an `ErrorInfo` and a `RetryInfo`, which most gRPC libraries can read.
//!
//! Written by hand: these few fields are no reason for a code generator.

use std::time::Duration;

use bytes::Bytes;
use guildhall_core::route::Reason;
use tonic::Code;

use crate::client::CallError;

/// Whose reasons an `ErrorInfo` has.
const DOMAIN: &str = "guildhall.dev";

/// The details of a failure.
pub(super) fn of(code: Code, message: &str, reason: Reason, error: &CallError) -> Bytes {
    let mut info = Message::default();
    info.text(1, &reason.code().to_ascii_uppercase());
    info.text(2, DOMAIN);
    let mut entry = |key: &str, value: &str| {
        let mut entry = Message::default();
        entry.text(1, key);
        entry.text(2, value);
        info.bytes(3, &entry.0);
    };
    entry("service", error.service());
    let rejected = error.rejected();
    if let Some(rejected) = rejected {
        entry("pattern", rejected.by.name());
        let policy = &rejected.policy;
        if !policy.is_built_in() {
            entry("policy", &format!("{}/{}", policy.namespace, policy.policy));
            entry("revision", &policy.revision.to_string());
        }
        if let Some(rule) = &rejected.rule {
            entry("rule", rule);
        }
    }
    let mut status = Message::default();
    status.number(1, code as u64);
    status.text(2, message);
    status.any(3, "google.rpc.ErrorInfo", &info);
    if let Some(after) = rejected.and_then(|rejected| rejected.retry_after) {
        status.any(3, "google.rpc.RetryInfo", &retry_info(after));
    }
    status.0.into()
}

fn retry_info(after: Duration) -> Message {
    let mut delay = Message::default();
    delay.number(1, after.as_secs());
    delay.number(2, u64::from(after.subsec_nanos()));
    let mut info = Message::default();
    info.bytes(1, &delay.0);
    info
}

/// A message in Protobuf's encoding.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        // A zero is the default, which is not written.
        if value != 0 {
            self.varint(field << 3);
            self.varint(value);
        }
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn any(&mut self, field: u64, kind: &str, message: &Self) {
        let mut any = Self::default();
        any.text(1, &format!("type.googleapis.com/{kind}"));
        any.bytes(2, &message.0);
        self.bytes(field, &any.0);
    }
}
