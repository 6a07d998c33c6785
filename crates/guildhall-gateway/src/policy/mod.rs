//! What policies do to a request, over the machines that `core::policy::guard` keeps.
//!
//! Each step looks at what the request's [`Way`](crate::snapshot::Way) has and does nothing where it has nothing; a
//! request without a way never comes here. The order is `chain`'s:
//!
//! - [`begin`]: rate limits, and what is tried; what is [known](Policed) of the request from then on.
//! - [`timeouts`]: how long it may take.
//! - [`run`]: everything around attempts: fallback, bulkhead, then
//!   - [`retry`]: once more,
//!   - [`hedge`]: twice at once,
//!   - [`guarded`]: breaker and adaptive limit around one attempt.
//!
//! Which endpoint an attempt goes to is the cluster's (`snapshot::balance`). [`judge`] says what the end of an attempt
//! means; [`mark`] what the client is told; [`key`] what a request is known by; [`answers`] which good answers are kept.

pub(crate) mod answers;
mod begin;
mod fallback;
mod guarded;
mod hedge;
mod judge;
mod key;
mod mark;
mod place;
mod retry;
mod run;
mod timeouts;

pub(crate) use begin::{Policed, begin};
pub(crate) use judge::ended;
pub(crate) use mark::{mark, pass_on};
pub(crate) use run::{Outcome, run};
pub(crate) use timeouts::Timeouts;
