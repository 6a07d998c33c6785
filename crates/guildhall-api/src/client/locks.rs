//! Calls on locks.

use guildhall_core::{document::Namespace, registry::LockHolder};

use super::{Client, ClientError, call::Call};
use crate::wire::{AcquireLock, LockToken, path};

impl Client {
    /// Acquires a lock, waiting for as long as `request` says. The holder's token fences what the
    /// lock guards: pass it along, and refuse smaller ones there.
    pub async fn acquire(
        &self,
        namespace: &Namespace,
        name: &str,
        request: &AcquireLock,
    ) -> Result<LockHolder, ClientError> {
        let wait = request.wait.unwrap_or_default().get();
        let call = Call::post(path::lock(namespace, name, Some("acquire")))
            .json(request)?
            .wait(wait);
        self.call(call).await?.json()
    }

    /// Makes an acquisition last for its TTL from now on. `lock-lost` means: stop at once.
    pub async fn renew(
        &self,
        namespace: &Namespace,
        name: &str,
        token: u64,
    ) -> Result<LockHolder, ClientError> {
        let mut call =
            Call::post(path::lock(namespace, name, Some("renew"))).json(&LockToken { token })?;
        call.repeatable = true;
        self.call(call).await?.json()
    }

    /// Lets a lock go.
    pub async fn release(
        &self,
        namespace: &Namespace,
        name: &str,
        token: u64,
    ) -> Result<(), ClientError> {
        let call =
            Call::post(path::lock(namespace, name, Some("release"))).json(&LockToken { token })?;
        self.call(call).await.map(drop)
    }
}
