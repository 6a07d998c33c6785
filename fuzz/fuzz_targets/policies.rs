//! Policies over each other: any that are valid come to something that compiles, or a problem that names where it is from.
//!
//! Each part is a policy; what holds is asked for the service `users` behind the route `r` of the gateway `g`.
#![no_main]

use std::sync::Arc;

use guildhall_core::{
    document::{Body, Document, Kind, Namespace, Object},
    policy::{Chain, Policies, Policy, compile, spec::TargetKind},
};
use guildhall_fuzz::parts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let policies: Vec<Arc<Object<Policy>>> = parts(data)
        .into_iter()
        .take(4)
        .filter_map(|part| {
            let body = Body::parse(std::str::from_utf8(part).ok()?).ok()?;
            match body.into_document(Kind::Policy, None, None).ok()? {
                Document::Policy(policy) => Some(policy),
                _ => None,
            }
        })
        .collect();
    let namespace = Namespace::default();
    let chain = Chain::default()
        .route(TargetKind::HttpRoute, &namespace, "r", Some("x"))
        .service(&namespace, "users")
        .gateway(&namespace, "g", None);
    let resolve = |policies: &[Arc<Object<Policy>>]| {
        Policies::new(
            policies
                .iter()
                .map(|policy| (&policy.metadata, &policy.spec)),
        )
        .resolve(&chain)
    };
    let resolved = resolve(&policies);
    for effective in std::iter::once(&resolved.enforced).chain(&resolved.dry_run) {
        let (_, problems) = compile(effective);
        for problem in problems {
            assert!(problem.pointer.starts_with('/') && !problem.detail.is_empty());
            // What one policy says alone was refused when it was written.
            assert!(problem.sources.len() != 1, "{problem}");
        }
    }
});
