//! Policies at work, over real sockets.

mod balance;
mod breaker;
mod exact;
mod fallback;
mod limits;
mod newer;
mod retry;
mod route_retry;
mod tried;

use std::sync::{
    Arc,
    atomic::{AtomicU16, AtomicUsize, Ordering},
};

use guildhall_core::document::Document;

use crate::support::{Answer, Backend, Fixture, instance, ok, options, status, to_service};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A backend whose status can be changed.
struct Moody {
    backend: Backend,
    status: Arc<AtomicU16>,
}

impl Moody {
    async fn named(name: &'static str) -> Self {
        let told = Arc::new(AtomicU16::new(200));
        let says = Arc::clone(&told);
        let backend = Backend::answering(move |_| match says.load(Ordering::SeqCst) {
            200 => ok(name),
            other => status(other, ""),
        })
        .await;
        Self {
            backend,
            status: told,
        }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

/// A gateway before the instances `backends` of `svc`, under `policies`.
async fn under(backends: &[&Backend], policies: Vec<Document>) -> Fixture {
    let mut documents = vec![to_service("all", "/", "svc")];
    for (n, backend) in backends.iter().enumerate() {
        documents.push(instance("svc", &format!("i{n}"), backend.address));
    }
    documents.extend(policies);
    Fixture::start(options(), documents).await
}

/// Status and reason.
fn shown(answer: &Answer) -> (u16, &str) {
    let reason = answer.reason().split(';').next().unwrap_or_default();
    (answer.status, reason)
}

/// A number that a backend counts in.
fn counter() -> (Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let counter = Arc::new(AtomicUsize::new(0));
    (Arc::clone(&counter), counter)
}
