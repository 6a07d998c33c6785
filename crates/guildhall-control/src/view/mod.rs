//! The one read model: every document as of one revision, immutable and without locks.
//!
//! One task ([`service`]) folds the store's watch into a [`State`] and publishes it; nothing else
//! writes it. The same task hands the changes to the watchers' hub, after the state that holds
//! them has been published, so that nobody is told of what cannot be read yet. What this node wrote
//! itself reaches the task decoded ([`Handover`]).

mod fold;
mod handle;
mod handover;
mod load;
mod policies;
mod routing;
mod service;
mod state;
mod status;
mod touches;

use guildhall_core::document::Document;

pub use state::State;

pub(crate) use handle::View;
pub(crate) use handover::Handover;
pub(crate) use routing::Routing;
pub(crate) use service::{run, start};
pub(crate) use status::begin;

/// Gives a document that is about to be written, or would be, the status that follows from the others.
pub(crate) fn foresee(document: &mut Document, state: &State) {
    policies::foresee(document, &state.documents);
    routing::foresee(document, state);
}
