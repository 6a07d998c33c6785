//! What others call.

use std::sync::Arc;
use std::time::Duration;

use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::document::{
    Document, DocumentKey, Index, KeyPart, Kind, Metadata, Name, Namespace, Object, Period,
    Problems, Timestamp,
};
use guildhall_core::registry::{Lock, LockHolder, LockStatus};
use guildhall_store::{CommitError, Compare, Entry, LeaseError, LeaseId, Op, Transaction};

use crate::audit::{Action, Outcome};
use crate::control::Shared;
use crate::documents::write::{refusal, stamp};
use crate::watch::{self, Scope};
use crate::{Error, clock};

/// How long an acquisition lasts if neither the caller nor the lock says.
const DEFAULT_TTL: Duration = Duration::from_secs(15);

/// Longer than anybody waits: what ends the waiting is the caller's own timeout.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// The longest name of an owner, in bytes.
const MAX_OWNER: usize = 253;

/// Locks. Cheap to clone.
#[derive(Clone)]
pub struct Locks {
    pub(crate) shared: Arc<Shared>,
}

/// What one try to acquire came to.
enum Try {
    Acquired(LockHolder),
    /// Someone else has it, as of this index.
    Held(LockHolder, Index),
}

impl Locks {
    /// Acquires the lock for `owner`, waiting up to `wait` while someone else holds it. A lock
    /// that nobody defined is created. The holder must renew within `ttl` (by default what the
    /// lock says, else 15 s), or it loses the lock.
    ///
    /// What the lock guards should take the holder's `token` with each write and refuse one that
    /// is below the greatest it has seen.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Invalid`], [`Error::Held`], and those of the store.
    pub async fn acquire(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        name: &str,
        owner: &str,
        ttl: Option<Period>,
        wait: Duration,
    ) -> Result<LockHolder, Error> {
        let key = DocumentKey::new(Kind::Lock, namespace.clone(), name);
        let result = self.wait_and_acquire(caller, &key, owner, ttl, wait).await;
        let outcome = match &result {
            Ok(holder) => Outcome::Updated {
                revision: holder.token,
            },
            Err(error) => refusal(error),
        };
        self.shared
            .audit
            .write(caller, Action::Acquire, &key, outcome, clock::wall());
        result
    }

    /// Renews a lock held under `token` and says for how long.
    ///
    /// # Errors
    /// [`Error::Denied`]; [`Error::NotHeld`]: stop what the lock guards; and those of the store.
    pub async fn renew(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        name: &str,
        token: u64,
    ) -> Result<LockHolder, Error> {
        let key = DocumentKey::new(Kind::Lock, namespace.clone(), name);
        let (entry, lease) = self.held(caller, &key, token).await?;
        match self.shared.store.lease_keepalive(lease).await {
            Ok(_) => holder(&entry),
            Err(LeaseError::Unknown { .. }) => Err(Error::NotHeld { lock: key, token }),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives back a lock held under `token`.
    ///
    /// # Errors
    /// As [`Locks::renew`].
    pub async fn release(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        name: &str,
        token: u64,
    ) -> Result<Index, Error> {
        let key = DocumentKey::new(Kind::Lock, namespace.clone(), name);
        let result = self.give_back(caller, &key, token).await;
        let outcome = match &result {
            Ok(index) => Outcome::Updated {
                revision: index.revision,
            },
            Err(error) => refusal(error),
        };
        self.shared
            .audit
            .write(caller, Action::Release, &key, outcome, clock::wall());
        result
    }

    async fn wait_and_acquire(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        owner: &str,
        ttl: Option<Period>,
        wait: Duration,
    ) -> Result<LockHolder, Error> {
        authorize(
            caller,
            Verb::Write,
            Some(key.kind),
            Some(&key.namespace),
            Some(&key.name),
        )?;
        validate(key, owner, ttl)?;
        let began = clock::now();
        loop {
            let (holder, seen) = match self.attempt(caller, key, owner, ttl).await? {
                Try::Acquired(holder) => return Ok(holder),
                Try::Held(holder, seen) => (holder, seen),
            };
            let left = wait.saturating_sub(clock::now().saturating_duration_since(began));
            // Only the waiting is cut short: an attempt that is dropped may still acquire.
            let released = tokio::time::timeout(left, self.next_change(key, seen)).await;
            match released {
                Ok(done) if !left.is_zero() => done?,
                _ => {
                    return Err(Error::Held {
                        lock: key.clone(),
                        holder: Box::new(holder),
                    });
                }
            }
        }
    }

    /// Waits until the lock is touched after `seen`.
    async fn next_change(&self, key: &DocumentKey, seen: Index) -> Result<(), Error> {
        let Shared {
            view, hub, store, ..
        } = &*self.shared;
        view.wait_for(&**store, seen).await?;
        let system = Caller::system("locks");
        let scope = Scope::document(key);
        watch::changed(hub, view.cell(), &system, &scope, Some(seen), FOREVER)
            .await
            .map(drop)
    }

    /// Acquires the lock if it is free.
    async fn attempt(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        owner: &str,
        ttl: Option<Period>,
    ) -> Result<Try, Error> {
        let store = &*self.shared.store;
        let (spec, status) = (key.store_key(KeyPart::Spec), key.store_key(KeyPart::Status));
        for _ in 0..self.shared.options.documents.attempts {
            let seen = store.index();
            if let Some(entry) = store.get(status.as_bytes()).await? {
                return holder(&entry).map(|holder| Try::Held(holder, seen));
            }
            let known = store.get(spec.as_bytes()).await?;
            let usual = match &known {
                Some(entry) => {
                    match Document::from_stored(Kind::Lock, entry.modified, &entry.value)? {
                        Document::Lock(lock) => lock.spec.ttl,
                        _ => None,
                    }
                }
                None => None,
            };
            let ttl = ttl.or(usual).unwrap_or(Period(DEFAULT_TTL));
            let now = clock::wall();
            let taken = LockHolder {
                owner: owner.to_owned(),
                token: 0,
                acquired_at: now,
                ttl,
            };
            let value = serde_json::to_vec(&LockStatus {
                holder: Some(taken.clone()),
            })?;
            let lease = store.lease_grant(ttl.get()).await?;
            let mut transaction = Transaction::new()
                .when(Compare::absent(status.clone()))
                .then(Op::put_leased(status.clone(), value, lease));
            transaction = match known {
                Some(_) => transaction.when(Compare::present(spec.clone())),
                None => {
                    let metadata = Metadata::named(key.namespace.clone(), &*key.name);
                    let mut document: Document = Object::new(metadata, Lock::default()).into();
                    stamp(&mut document, caller, None, now);
                    let put = Op::put(spec.clone(), document.to_stored()?);
                    transaction.when(Compare::absent(spec.clone())).then(put)
                }
            };
            match store.commit(transaction).await {
                Ok(committed) => {
                    return Ok(Try::Acquired(LockHolder {
                        token: committed.index.revision,
                        ..taken
                    }));
                }
                Err(error) => {
                    // Best effort: an unused lease ends by itself.
                    let _ = store.lease_revoke(lease).await;
                    match error {
                        CommitError::Conflict { .. } => {}
                        error => return Err(error.into()),
                    }
                }
            }
        }
        Err(Error::Contention(key.clone()))
    }

    async fn give_back(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        token: u64,
    ) -> Result<Index, Error> {
        let (_, lease) = self.held(caller, key, token).await?;
        let status = key.store_key(KeyPart::Status);
        let transaction = Transaction::new()
            .when(Compare::modified(status.clone(), token))
            .then(Op::delete(status));
        match self.shared.store.commit(transaction).await {
            Ok(committed) => {
                // Nothing hangs on the lease any more; should this fail, it ends by itself.
                let _ = self.shared.store.lease_revoke(lease).await;
                Ok(committed.index)
            }
            Err(CommitError::Conflict { .. }) => Err(Error::NotHeld {
                lock: key.clone(),
                token,
            }),
            Err(error) => Err(error.into()),
        }
    }

    /// The holding under `token`, with its lease.
    async fn held(
        &self,
        caller: &Caller,
        key: &DocumentKey,
        token: u64,
    ) -> Result<(Arc<Entry>, LeaseId), Error> {
        authorize(
            caller,
            Verb::Write,
            Some(key.kind),
            Some(&key.namespace),
            Some(&key.name),
        )?;
        let entry = self
            .shared
            .store
            .get(key.store_key(KeyPart::Status).as_bytes())
            .await?;
        entry
            .filter(|entry| entry.modified == token)
            .and_then(|entry| entry.lease.map(|lease| (entry, lease)))
            .ok_or_else(|| Error::NotHeld {
                lock: key.clone(),
                token,
            })
    }
}

fn holder(entry: &Entry) -> Result<LockHolder, Error> {
    let status: LockStatus = serde_json::from_slice(&entry.value)?;
    // Without a holder the status is not ours; whoever put it holds the lock as far as we know.
    let holder = status.holder.unwrap_or_else(|| LockHolder {
        owner: String::new(),
        token: 0,
        acquired_at: Timestamp::default(),
        ttl: Period::default(),
    });
    Ok(LockHolder {
        token: entry.modified,
        ..holder
    })
}

fn validate(key: &DocumentKey, owner: &str, ttl: Option<Period>) -> Result<(), Problems> {
    let mut problems = Problems::default();
    if let Err(error) = Name::new(&key.name) {
        problems.add("/metadata/name", error);
    }
    problems.check(
        !owner.is_empty() && owner.len() <= MAX_OWNER,
        "/owner",
        "1 to 253 characters",
    );
    let allowed = Period::millis(100)..=Period::secs(24 * 3600);
    problems.check(
        ttl.is_none_or(|ttl| allowed.contains(&ttl)),
        "/ttl",
        "from 100ms to 24h",
    );
    problems.into_result(())
}
