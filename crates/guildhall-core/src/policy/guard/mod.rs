//! Policies at work: the state machines that hold on a request's way, kept over every change of policies.
//!
//! ```text
//! Policies ─┐
//! Chain     ├─▶ Guards::way ─▶ Arc<Way> ─▶ the gateway's chain, the SDK's stack
//! service  ─┘        │
//!                    └─ machines by service and rule: kept, reconfigured, told orders, swept
//! ```
//!
//! - [`Guards`]: all machines there are. One task owns it (the gateway's snapshot thread, the SDK's policy task);
//!   requests never come near it.
//! - [`Way`]: what holds for one kind of request, immutable: what is [enforced](Rules), what is [tried](Trial), and how
//!   endpoints are chosen. Requests hold it by `Arc`; the machines in it are shared with every other way to the service.
//! - [`Rejected`]: a refusal that can be explained; the one type that crosses to callers in both shells.
//! - [`GuardState`]: how a machine stands, for whoever reports it.
//!
//! # Whose a machine is
//!
//! | machine | one for each |
//! |---|---|
//! | breaker, outlier detection, bulkhead, adaptive limit | service and subset; its rules are those of the service and its namespace, whatever the route |
//! | latencies that hedges go by | service and subset |
//! | budget of retries, of hedges | service and subset, and route or Gateway, where that has a budget of its own |
//! | answers kept | service, subset and bounds |
//! | rate limit | policy, target and rule: what is under one target shares one count |
//!
//! A rate limit of scope `Exact` is several processes' count: [`Limits::ask`] says what to ask of whoever counts, and
//! [`Asking::answered`] takes the answer, or the lack of one.
//!
//! One of scope `Shared` is divided: this process' part of it is told by [`Guards::grant`], and gone once no way uses it.
//!
//! What an edit keeps is told in [`compile`](mod@super::compile). A machine that no way uses is kept for ten minutes
//! ([`KEPT`]), so that a rule that is taken back finds it again.
//!
//! # Two shells, one use
//!
//! ```
//! use guildhall_core::document::{Metadata, Namespace, ServiceName, Timestamp, decode};
//! use guildhall_core::policy::{Chain, Policies, spec::{Policy, Sections}};
//! use guildhall_core::policy::guard::{Ended, Guards, Rules, Shell};
//! use guildhall_core::route::table::{ClusterKey, Subset};
//! use guildhall_resilience::Outcome;
//! use std::borrow::Cow;
//! use std::time::{Duration, Instant};
//!
//! // What the shell's machines are made of.
//! enum InTest {}
//! impl Shell for InTest {
//!     type Endpoint = u32;
//!     type AnswerKey = String;
//!     type Answer = bytes::Bytes;
//! }
//!
//! let (now, wall) = (Instant::now(), Timestamp(1_700_000_000_000));
//! let shop = Namespace::default();
//! let policy: Policy = decode(
//!     r#"{"targetRefs": [{"kind": "Service", "name": "users"}],
//!         "circuitBreaker": {"consecutiveFailures": 1},
//!         "rateLimit": {"rules": [{"name": "all", "requests": 2, "period": "1m"}]}}"#,
//!     "/spec",
//! )?;
//! let metadata = Metadata { revision: 7, ..Metadata::named(shop.clone(), "calm") };
//! // The SDK has defaults of its own, which every policy is more specific than; the gateway has none.
//! let defaults: Sections = decode(r#"{"retry": {"attempts": 1}}"#, "")?;
//! let policies = Policies::new([(&metadata, &policy)]).with_defaults(defaults);
//!
//! // The owner, after each change of policies. A gateway's chain names route and Gateway, too.
//! let mut guards = Guards::<InTest>::new(42);
//! let users = ClusterKey {
//!     namespace: shop.clone(),
//!     service: ServiceName::new("users").unwrap(),
//!     subset: Subset::DefaultPort,
//! };
//! let chain = Chain::default().service(&shop, "users");
//! let way = guards.way(&policies, &chain, &users, now, wall);
//! guards.sweep(now);
//!
//! // A request.
//! let rules: &Rules<InTest> = &way.enforced;
//! let trial = way.trial(now, |_| Cow::Borrowed("10.0.0.9"));
//! if let Some(limits) = &rules.rate_limit {
//!     let pass = limits.admit(now, |_| Cow::Borrowed("10.0.0.9"))?;
//!     assert_eq!(pass.tightest.unwrap().1.remaining, 1);
//! }
//! let breaker = rules.breaker.as_ref().unwrap();
//! let permit = breaker.machine.acquire_owned(|| now).map_err(|refusal| rules.explain(refusal.into()))?;
//! let ended = Ended::Status(503);
//! let transition = permit.record(rules.outcome(ended), now).unwrap();
//! assert_eq!(transition.to.name(), "OPEN");
//! if let Some(trial) = trial {
//!     trial.end(ended, now);
//! }
//!
//! // The next one: the SDK's stack answers with a `Rejection`, which the rules explain.
//! let refusal = breaker.machine.acquire(now).unwrap_err();
//! let rejected = rules.explain(refusal.into());
//! assert!(rejected.to_string().starts_with(
//!     "rejected by breaker: policy default/calm (revision 7, on Service default/users): try again in ",
//! ));
//! assert_eq!(rejected.policy.revision, 7);
//!
//! // The reporter.
//! assert_eq!(guards.states(now).count(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod exact;
mod guards;
mod key;
mod limits;
mod orders;
mod rejected;
mod rows;
mod ruled;
mod share;
mod shelf;
mod state;
mod trial;
mod way;

pub use exact::{Asked, Asking};
pub use guards::{Ejection, Guards, KEPT, MOST};
pub use limits::{Limit, Limits, Line, Pass};
pub use rejected::Rejected;
pub use share::{Granted, PolicyName, Share, SharedLimit};
pub use state::{GuardState, Guarded, Measured, Tally};
pub use trial::Trial;
pub use way::{Ended, FallbackGuard, Guard, HedgeGuard, Kept, RetryGuard, Rules, Shell, Way};
