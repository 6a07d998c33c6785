//! The layers of retry, hedge, deadline and fallback around a service that the test answers for.

mod deadline;
mod fallback;
mod hedge;
mod retry;
mod script;
mod stack;
