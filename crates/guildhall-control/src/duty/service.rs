//! Takes a duty up, keeps it, and notices that it is gone.

use std::sync::Arc;
use std::time::Duration;

use guildhall_store::{CommitError, Compare, LeaseError, LeaseId, Op, Store, Transaction};
use tokio::sync::{Notify, watch};

use super::DutyOptions;
use crate::Error;
use crate::control::Shared;

/// One duty as this process sees it.
#[derive(Debug)]
pub(crate) struct Duty {
    key: String,
    options: DutyOptions,
    held: watch::Sender<Option<Fence>>,
    /// Who has it instead.
    other: watch::Sender<Option<String>>,
    lost: Notify,
}

/// What proves that a duty is this process's: the revision that its key was taken at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    key: String,
    revision: u64,
    lease: LeaseId,
}

impl Fence {
    /// The condition for every write of the duty.
    pub(crate) fn compare(&self) -> Compare {
        Compare::modified(self.key.clone(), self.revision)
    }
}

impl Duty {
    pub(crate) fn new(name: &str, options: DutyOptions) -> Self {
        Self {
            key: format!("duty/{name}"),
            options,
            held: watch::Sender::new(None),
            other: watch::Sender::new(None),
            lost: Notify::new(),
        }
    }

    /// The fence, while the duty is this process's.
    pub(crate) fn fence(&self) -> Option<Fence> {
        self.held.borrow().clone()
    }

    /// Whether this process may take in what concerns the duty: nobody else has it.
    pub(crate) fn mine(&self) -> Result<(), Error> {
        match &*self.other.borrow() {
            Some(owner) => Err(Error::NotOnDuty {
                owner: owner.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Follows whether the duty is held; the first look counts as a change.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Fence>> {
        let mut held = self.held.subscribe();
        held.mark_changed();
        held
    }

    /// A write was refused: the duty is someone else's, or free.
    pub(crate) fn lost(&self) {
        self.held.send_replace(None);
        self.lost.notify_one();
    }

    /// Tries to take the duty up; whether this process has it now.
    async fn take(&self, store: &dyn Store) -> Result<bool, Error> {
        let entry = store.get(self.key.as_bytes()).await?;
        let ours = |value: &[u8]| value == self.options.replica.as_bytes();
        if let Some(entry) = entry.as_ref().filter(|entry| !ours(&entry.value)) {
            let owner = String::from_utf8_lossy(&entry.value).into_owned();
            self.other.send_if_modified(|other| {
                let changed = other.as_ref() != Some(&owner);
                *other = Some(owner);
                changed
            });
            return Ok(false);
        }
        let lease = store.lease_grant(self.options.ttl).await?;
        let condition = match &entry {
            // An earlier run of this very process; from here on it is fenced off.
            Some(entry) => Compare::modified(self.key.clone(), entry.modified),
            None => Compare::absent(self.key.clone()),
        };
        let put = Op::put_leased(self.key.clone(), self.options.replica.clone(), lease);
        let taken = store
            .commit(Transaction::new().when(condition).then(put))
            .await;
        match taken {
            Ok(committed) => {
                let revision = committed.index.revision;
                self.other.send_replace(None);
                self.held.send_replace(Some(Fence {
                    key: self.key.clone(),
                    revision,
                    lease,
                }));
                if let Some(old) = entry.and_then(|entry| entry.lease) {
                    // Nothing hangs on it any more.
                    let _ = store.lease_revoke(old).await;
                }
                Ok(true)
            }
            Err(error) => {
                let _ = store.lease_revoke(lease).await;
                match error {
                    CommitError::Conflict { .. } => Ok(false),
                    error => Err(error.into()),
                }
            }
        }
    }

    /// Renews the duty; gives it up if that is too late.
    async fn keep(&self, store: &dyn Store, fence: &Fence) {
        match store.lease_keepalive(fence.lease).await {
            Ok(_) => {}
            Err(LeaseError::Unknown { .. }) => {
                tracing::warn!(
                    duty = self.key,
                    "the duty was lost, its lease has ended; taking it up anew"
                );
                self.held.send_replace(None);
            }
            // The fence decides in the end whether it is still held.
            Err(error) => {
                tracing::warn!(duty = self.key, %error, "the duty could not be renewed; trying again")
            }
        }
    }

    fn pause(&self) -> Duration {
        self.options.ttl / 3
    }
}

/// The first attempt, so that an embedded control plane is on duty once it has started.
pub(crate) async fn first(shared: &Shared) {
    if let Err(error) = shared.duty.take(&*shared.store).await {
        tracing::warn!(%error, "the duty could not be taken up yet; trying again");
    }
}

/// Takes the duty up whenever it is free, renews it, and gives it back at the stop.
pub(crate) async fn run(shared: Arc<Shared>) {
    let duty = &shared.duty;
    loop {
        let wait = match duty.fence() {
            Some(_) => duty.pause(),
            None => match duty.take(&*shared.store).await {
                Ok(_) => duty.pause(),
                Err(error) => {
                    tracing::debug!(%error, "the duty could not be taken up; trying again");
                    duty.pause().min(Duration::from_millis(500))
                }
            },
        };
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = duty.lost.notified() => continue,
            () = tokio::time::sleep(wait) => {}
        }
        if let Some(fence) = duty.fence() {
            duty.keep(&*shared.store, &fence).await;
        }
    }
}

/// Gives the duty back, so that another process need not wait for its lease to end.
pub(crate) async fn release(shared: &Shared) {
    if let Some(fence) = shared.duty.held.send_replace(None)
        && let Err(error) = shared.store.lease_revoke(fence.lease).await
    {
        tracing::debug!(%error, "the duty could not be given back; its lease ends by itself");
    }
}
