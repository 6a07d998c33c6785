//! Policies: resilience rules as documents, attached to routes, services, gateways and namespaces.
//!
//! ```text
//! Policy documents ─▶ Policies ─resolve(Chain)─▶ Effective ─compile─▶ Compiled ─▶ the stacks of gateway and SDK
//!                                               + origins           + problems
//! ```
//!
//! - [`spec`]: the documents as written; [`described`] says how their fields are declared.
//! - [`Chain`]: the targets on a request's way, the most specific first.
//! - [`Policies`]: all of them, indexed; [`Effective`]: what holds on one way, and where each field is from.
//! - [`mod@compile`]: the effective policy as configurations of `guildhall-resilience`, and what an edit keeps.
//! - [`guard`]: the machines that carry it out, kept over every change.
//! - [`report`]: what gateways and SDKs tell of their breakers and limits.
//! - [`status`]: the conditions that say what became of a policy.
//! - [`reference`](mod@reference): docs/reference/policies.md, made from the declarations; [`schema`] is its like for
//!   programs.
//!
//! # Example
//!
//! ```
//! use guildhall_core::document::{Metadata, Namespace, decode};
//! use guildhall_core::policy::{Chain, Policies, compile, spec::Policy};
//!
//! let shop = Namespace::default();
//! let policy: Policy = decode(
//!     r#"{"targetRefs": [{"kind": "Service", "name": "users"}], "retry": {"attempts": 1}}"#,
//!     "/spec",
//! )?;
//! let metadata = Metadata::named(shop.clone(), "calm-retries");
//! let policies = Policies::new([(&metadata, &policy)]);
//!
//! let resolved = policies.resolve(&Chain::default().service(&shop, "users"));
//! assert_eq!(resolved.enforced.origins["retry.attempts"].source.policy, "calm-retries");
//!
//! let (compiled, problems) = compile(&resolved.enforced);
//! assert!(problems.is_empty());
//! // Two attempts: the request itself and one retry.
//! assert_eq!(compiled.retry.unwrap().config.policy.attempts(), 2);
//! # Ok::<(), guildhall_core::document::Problems>(())
//! ```

pub mod compile;
pub mod described;
mod effective;
pub mod guard;
pub mod reference;
pub mod report;
pub mod schema;
pub mod spec;
pub mod status;
mod target;

pub use compile::{Compiled, Problem, Rule, compile};
pub use effective::{Conflict, Effective, Origin, Policies, Resolved, Source};
pub use spec::{Mode, Policy, Section};
pub use status::PolicyStatus;
pub use target::{Chain, Specificity, Target};
