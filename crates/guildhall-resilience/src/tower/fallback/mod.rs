//! Answers when the service cannot, by a [`FallbackPlan`](crate::fallback::FallbackPlan).
//!
//! What the answers are is said by [`Answers`]: which are worth keeping and under which key, how one that was kept is
//! given (with its age: a `Warning` or `Age` header, say), and the one that is always the same. What no source answers
//! is handed on as it failed. So this layer has no error of its own.

mod answers;
mod future;
mod layer;

pub use answers::{Answers, NoService};
pub use future::FallbackFuture;
pub use layer::{Fallback, FallbackLayer};
