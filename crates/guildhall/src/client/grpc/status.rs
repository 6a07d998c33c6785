//! Failures as gRPC tells them.

use std::{error::Error, sync::Arc};

use guildhall_core::route::{Decision, Reason};
use guildhall_resilience::Pattern;
use tonic::{
    Code, Status,
    metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap},
};

use super::details;
use crate::client::CallError;

impl CallError {
    /// What a status of a [`GrpcChannel`](crate::GrpcChannel) was made of; `None` if it is the called service's own.
    /// Needs the feature `grpc`.
    pub fn of(status: &Status) -> Option<&Self> {
        status.source()?.downcast_ref()
    }

    fn code(&self) -> Code {
        match self {
            Self::Rejected { rejected, .. } => match rejected.by {
                Pattern::RateLimit | Pattern::Bulkhead | Pattern::Adaptive | Pattern::Shed => {
                    Code::ResourceExhausted
                }
                Pattern::Deadline => Code::DeadlineExceeded,
                _ => Code::Unavailable,
            },
            Self::DeadlineOver { .. } | Self::Timeout { .. } => Code::DeadlineExceeded,
            Self::NotStarted { .. }
            | Self::NoPlatform { .. }
            | Self::Unresolved { .. }
            | Self::NoInstance { .. }
            | Self::Connect { .. }
            | Self::Refused { .. }
            | Self::Broken { .. } => Code::Unavailable,
            Self::TooLarge { .. }
            | Self::Status { .. }
            | Self::Unreadable { .. }
            | Self::Invalid { .. } => Code::Internal,
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Rejected { rejected, .. } => match rejected.by {
                Pattern::RateLimit => Reason::RateLimited,
                Pattern::Bulkhead => Reason::BulkheadFull,
                Pattern::Adaptive => Reason::ConcurrencyLimited,
                Pattern::Deadline => Reason::RequestTimeout,
                Pattern::Breaker => Reason::CircuitOpen,
                _ => Reason::NoHealthyEndpoint,
            },
            Self::DeadlineOver { .. } | Self::Timeout { .. } => Reason::RequestTimeout,
            Self::NotStarted { .. } | Self::NoPlatform { .. } | Self::Unresolved { .. } => {
                Reason::NotReady
            }
            Self::NoInstance { .. } => Reason::NoHealthyEndpoint,
            Self::Connect { .. } => Reason::UpstreamConnectFailed,
            Self::Refused { .. } | Self::Broken { .. } => Reason::UpstreamReset,
            Self::TooLarge { .. } | Self::Status { .. } | Self::Unreadable { .. } => {
                Reason::UpstreamInvalid
            }
            Self::Invalid { .. } => Reason::RequestInvalid,
        }
    }
}

/// `UNAVAILABLE`, `RESOURCE_EXHAUSTED` or `DEADLINE_EXCEEDED`, or `INTERNAL` where the next try would end as this one;
/// with `guildhall-reason` as the gateway's, details, and the error as its source.
impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        let reason = error.reason();
        let rejected = error.rejected();
        let policy = rejected.map(|rejected| &*rejected.policy);
        let decision = Decision {
            policy: policy.filter(|policy| !policy.is_built_in()),
            ..Decision::new(reason)
        };
        let mut metadata = MetadataMap::new();
        if let Ok(value) = AsciiMetadataValue::try_from(decision.to_string()) {
            let name = AsciiMetadataKey::from_static("guildhall-reason");
            metadata.insert(name, value);
        }
        let (code, message) = (error.code(), error.to_string());
        let details = details::of(code, &message, reason, &error);
        let mut status = Self::with_details_and_metadata(code, message, details, metadata);
        status.set_source(Arc::new(error));
        status
    }
}
