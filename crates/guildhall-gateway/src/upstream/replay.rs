//! What is tried again without anybody having asked for retries: only what cannot have been done
//! twice, or what may be.
//!
//! | what happened | body untouched? | then |
//! |---|---|---|
//! | no connection could be made | yes | another endpoint |
//! | a pooled connection was closed before the request was written | yes | a new connection, same endpoint |
//! | a pooled connection was closed after, before any answer | idempotent, no body | another endpoint, once; with no other, a new connection |
//! | the same on a connection made for this request | idempotent, no body | another endpoint, once; with no other it fails |
//! | anything after the answer's head | – | fails |
//!
//! Pure. Retries that routes and policies ask for will stand around this, not in it.

/// The most endpoints that one request is offered to.
const MAX_ENDPOINTS: u32 = 3;
/// The most pooled connections that may turn out stale before a request gives up: after the first,
/// a new one is made, so that only a race can bring a second.
const MAX_STALE: u32 = 3;

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection could be made.
    NotConnected,
    /// The connection was closed before the request was written.
    Unsent,
    /// The connection was closed after the request was written and before any answer.
    Lost {
        /// Whether the connection had been used before.
        reused: bool,
        /// Whether the request may be sent twice and is still at hand: idempotent, no body.
        repeatable: bool,
    },
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try another endpoint.
    OtherEndpoint,
    /// Try the same endpoint on a new connection.
    NewConnection,
    /// Answer with an error.
    GiveUp,
}

/// What one request has tried so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    endpoints: u32,
    stale: u32,
    replayed: bool,
}

impl Attempts {
    /// Notes a failure and decides; `others` says whether there are endpoints not tried yet.
    pub(crate) fn failed(&mut self, failure: Failure, others: bool) -> Next {
        match failure {
            Failure::NotConnected => {
                self.endpoints += 1;
                if self.endpoints < MAX_ENDPOINTS {
                    Next::OtherEndpoint
                } else {
                    Next::GiveUp
                }
            }
            Failure::Unsent => {
                self.stale += 1;
                if self.stale < MAX_STALE {
                    Next::NewConnection
                } else {
                    Next::GiveUp
                }
            }
            // Elsewhere rather than on a new connection: an instance that was killed a moment ago
            // still takes one from its backlog, only to reset it.
            Failure::Lost {
                reused,
                repeatable: true,
            } if !self.replayed => {
                self.replayed = true;
                if others {
                    Next::OtherEndpoint
                } else if reused {
                    Next::NewConnection
                } else {
                    Next::GiveUp
                }
            }
            Failure::Lost { .. } => Next::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(others: bool, failures: &[Failure], expected: &[Next]) {
        let mut attempts = Attempts::default();
        let decided: Vec<Next> = failures
            .iter()
            .map(|failure| attempts.failed(*failure, others))
            .collect();
        assert_eq!(decided, expected, "{failures:?}, others: {others}");
    }

    #[test]
    fn only_what_is_safe_is_tried_again() {
        use Failure::{NotConnected, Unsent};
        let lost = |reused, repeatable| Failure::Lost { reused, repeatable };
        let (other, new, end) = (Next::OtherEndpoint, Next::NewConnection, Next::GiveUp);
        for others in [true, false] {
            check(
                others,
                &[NotConnected, NotConnected, NotConnected],
                &[other, other, end],
            );
            check(others, &[Unsent, Unsent, Unsent], &[new, new, end]);
            check(others, &[lost(true, false)], &[end]);
            check(others, &[lost(false, false)], &[end]);
            // An instance that was killed: its pooled connection is stale, and no new one can be
            // made.
            check(others, &[Unsent, NotConnected], &[new, other]);
        }
        check(true, &[lost(true, true), lost(true, true)], &[other, end]);
        check(true, &[lost(false, true), lost(true, true)], &[other, end]);
        check(false, &[lost(true, true), lost(true, true)], &[new, end]);
        check(false, &[lost(false, true)], &[end]);
        // An instance that is being killed: its pooled connection is stale, and a new one is taken
        // from its backlog and reset.
        check(true, &[Unsent, lost(false, true)], &[new, other]);
        check(
            true,
            &[lost(true, true), NotConnected, lost(true, true)],
            &[other, other, end],
        );
    }
}
