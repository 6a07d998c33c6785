//! How a call ended, as far as resilience cares.

/// What a call's end says about the service that was called.
///
/// It is decided before it arrives here: status codes and error classes are classified by rules that gateway and SDK
/// share, so that a state machine counts and never interprets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The service did what it should, a refusal of a wrong request (4xx) included.
    Success,
    /// The service failed, or our attempt's timeout ended the call.
    Failure,
    /// No evidence either way: the caller cancelled, a hedge lost, an inherited deadline expired.
    Ignored,
}
