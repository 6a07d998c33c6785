//! Registers, beats, registers again when the platform lost it, deregisters at the end.

use std::{sync::Arc, time::Duration};

use guildhall_api::{
    Backoff,
    client::{Client, ClientError, Precondition, PutOptions},
    wire::{Code, ReportBody},
};
use guildhall_core::registry::CheckState;
use tokio::sync::watch;

use super::{Documents, Health, Registration, documents::HEARTBEAT};
use crate::{identity::Identity, parts::Parts};

/// How long the last call, the deregistration, may take: the TTL clears up what it cannot.
const FAREWELL: Duration = Duration::from_secs(3);

/// The task that keeps this instance registered.
pub(crate) struct Registrar {
    pub(crate) client: Client,
    pub(crate) identity: Arc<Identity>,
    pub(crate) documents: Documents,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) parts: Arc<Parts>,
    pub(crate) status: watch::Sender<Registration>,
}

/// What the next step is.
enum Next {
    Register,
    Beat,
}

impl Registrar {
    /// Keeps it registered until told to stop; then takes it out. Answers whether it had ever been
    /// in, so that others may know of it.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) -> bool {
        let mut attempted = false;
        let keep = self.keep(&mut attempted);
        tokio::select! {
            () = keep => {}
            () = async { drop(stop.wait_for(|stop| *stop).await) } => {}
        }
        if attempted {
            self.deregister().await;
        }
        attempted
    }

    async fn keep(&self, attempted: &mut bool) {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
        let mut next = Next::Register;
        loop {
            let done = match next {
                Next::Register => self.register(attempted).await,
                Next::Beat => self.beat().await,
            };
            let pause = match done {
                Ok(()) => {
                    backoff.reset();
                    self.tell(Registration::Registered);
                    next = Next::Beat;
                    jittered(self.interval())
                }
                Err(error) if error.is_not_found() && matches!(next, Next::Beat) => {
                    tracing::warn!(
                        "the platform does not know this instance any more; registering again"
                    );
                    next = Next::Register;
                    Duration::ZERO
                }
                Err(error) => self.failed(&next, &error, &mut backoff),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Notes a failure; answers how long to wait.
    fn failed(&self, next: &Next, error: &ClientError, backoff: &mut Backoff) -> Duration {
        let pause = backoff
            .next(&mut fastrand::Rng::new())
            .max(error.retry_after().unwrap_or_default());
        // A missed beat is made up for long before the TTL is over; registration is unchanged.
        if matches!(next, Next::Beat) {
            tracing::warn!(%error, "a heartbeat was missed");
            return pause.min(self.interval());
        }
        let known = matches!(
            &*self.status.borrow(),
            Registration::Trying { error: Some(_) }
        );
        match error.is_retryable() {
            true if known => tracing::debug!(%error, "still not registered"),
            true => {
                tracing::warn!(%error, "not registered yet; serving meanwhile, and trying again")
            }
            false => {
                tracing::error!(%error, "the platform refuses this service; serving, but nobody finds it")
            }
        }
        self.tell(Registration::Trying {
            error: Some(error.to_string()),
        });
        // What was refused is not accepted a moment later.
        if error.is_retryable() {
            pause
        } else {
            pause.max(Duration::from_secs(10))
        }
    }

    fn tell(&self, registration: Registration) {
        self.status.send_if_modified(|present| {
            let changed = *present != registration;
            if changed {
                if registration == Registration::Registered {
                    tracing::info!(instance = %self.identity.id, host = self.host, port = self.port, "registered");
                }
                *present = registration;
            }
            changed
        });
    }

    /// How often it beats: a third of the TTL, so that one lost beat does no harm. Without a TTL
    /// it asks now and then whether the platform still knows it.
    fn interval(&self) -> Duration {
        match self.documents.health {
            Health::Ttl(ttl) => ttl / 3,
            Health::Http(_) | Health::Grpc(_) => Duration::from_secs(10),
        }
    }

    async fn register(&self, attempted: &mut bool) -> Result<(), ClientError> {
        if let Some(service) = self.documents.service(&self.identity) {
            let options = PutOptions {
                precondition: Precondition::Absent,
                ..PutOptions::default()
            };
            match self.client.put(&service, options).await {
                // Operators have described it already.
                Err(error) if error.code() == Some(Code::PreconditionFailed) => {}
                done => drop(done?),
            }
        }
        let version = self
            .client
            .put(
                &self.documents.version(&self.identity),
                PutOptions::default(),
            )
            .await?;
        for warning in version.warnings {
            tracing::warn!(warning, "the platform remarks on this version");
        }
        let well = self.parts.checks.report().await.healthy;
        let instance = self
            .documents
            .instance(&self.identity, &self.host, self.port, well);
        *attempted = true;
        self.client.register(&instance).await.map(drop)
    }

    /// Says how it is: a heartbeat if it is well, else what is wrong.
    async fn beat(&self) -> Result<(), ClientError> {
        let Identity {
            namespace,
            service,
            id,
            ..
        } = &*self.identity;
        let report = self.parts.checks.report().await;
        if report.healthy || !matches!(self.documents.health, Health::Ttl(_)) {
            return self
                .client
                .heartbeat(namespace, service, id)
                .await
                .map(drop);
        }
        let body = ReportBody {
            state: CheckState::Critical,
            output: report.complaint(),
        };
        self.client
            .report(namespace, service, id, HEARTBEAT, &body)
            .await
    }

    async fn deregister(&self) {
        let Identity {
            namespace,
            service,
            id,
            ..
        } = &*self.identity;
        match tokio::time::timeout(FAREWELL, self.client.deregister(namespace, service, id)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if error.is_not_found() => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "not deregistered; the platform will notice by itself")
            }
            Err(_) => {
                tracing::warn!("not deregistered in time; the platform will notice by itself")
            }
        }
        self.status.send_replace(Registration::Deregistered);
    }
}

/// Up to a tenth more or less, so that a fleet that was started at once does not beat at once.
fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.9 + fastrand::f64() / 5.0)
}
