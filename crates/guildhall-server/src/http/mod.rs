//! The native API over HTTP: one file per resource, around one hand-written service.
//!
//! [`service`] is the chain every request takes: request id → [`routes`] → who asks → [`dispatch`] → answer or
//! [`problem`]. Handlers translate between the wire and the control handles; they decide nothing themselves.

mod accept;
mod answer;
mod answers;
mod api;
pub(crate) mod body;
mod call;
mod configs;
mod discovery;
mod dispatch;
mod documents;
mod drafts;
mod fleet;
mod history;
mod locks;
mod metrics;
pub(crate) mod openapi;
mod pages;
mod params;
mod platform;
mod policies;
pub(crate) mod problem;
mod promotions;
mod query;
mod reading;
mod registry;
mod routes;
mod service;
mod snapshot;
pub(crate) mod split;
mod watch;

pub(crate) use answer::Answer;
pub(crate) use api::{Api, ApiOptions};
#[cfg(test)]
pub(crate) use body::AnswerBody;
pub(crate) use platform::status_of;
pub(crate) use service::Later;
