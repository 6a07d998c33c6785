//! What instances say of themselves.

use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::document::{Document, DocumentKey, KeyPart, Problems};
use guildhall_core::registry::CheckState;
use guildhall_core::registry::health::CheckOutcome;

use crate::checks::{Reported, Said};
use crate::control::Shared;
use crate::{Error, clock};

pub(super) async fn heartbeat(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
) -> Result<(), Error> {
    authorize(
        caller,
        Verb::Write,
        Some(key.kind),
        Some(&key.namespace),
        Some(&key.name),
    )?;
    shared.duty.mine()?;
    let beat = || {
        shared
            .board
            .heartbeat(key, &shared.transitions, clock::moment())
    };
    if beat() == Reported::Unknown {
        know(shared, key).await?;
        beat();
    }
    Ok(())
}

pub(super) async fn report(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
    check: &str,
    state: CheckState,
    output: &str,
) -> Result<(), Error> {
    authorize(
        caller,
        Verb::Write,
        Some(key.kind),
        Some(&key.namespace),
        Some(&key.name),
    )?;
    shared.duty.mine()?;
    let outcome = CheckOutcome::of(state).ok_or_else(|| {
        Problems::one(
            "/state",
            "report passing, warning or critical; starting is where a check begins",
        )
    })?;
    let said = Said { outcome, output };
    let tell = || {
        shared
            .board
            .report(key, check, said, &shared.transitions, clock::moment())
    };
    let mut reported = tell();
    if reported == Reported::Unknown {
        know(shared, key).await?;
        reported = tell();
    }
    let missing = |known| Error::CheckNotFound {
        instance: key.clone(),
        check: check.to_owned(),
        known,
    };
    match reported {
        Reported::Taken => Ok(()),
        Reported::Unknown => Err(missing(Vec::new())),
        Reported::NoSuchCheck(known) => Err(missing(known)),
        Reported::NotTtl => {
            let detail = format!("{check:?} is run by the platform; only ttl checks are reported");
            Err(Problems::one("/check", detail).into())
        }
    }
}

/// Makes sure that the board knows an instance which may have been registered a moment ago, or
/// says that it is not there.
async fn know(shared: &Shared, key: &DocumentKey) -> Result<(), Error> {
    let mut state = shared.view.load();
    if state.get(key).is_none() {
        let entry = shared
            .store
            .get(key.store_key(KeyPart::Spec).as_bytes())
            .await?;
        if entry.is_none() {
            return Err(Error::NotFound(key.clone()));
        }
        state = shared
            .view
            .wait_for(&*shared.store, shared.store.index())
            .await?;
    }
    let Some(Document::Instance(instance)) = state.get(key) else {
        return Err(Error::NotFound(key.clone()));
    };
    shared
        .board
        .know(instance, &state.catalog, false, clock::moment());
    Ok(())
}
