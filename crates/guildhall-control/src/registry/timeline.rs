//! Reads an instance's timeline.

use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::document::DocumentKey;
use guildhall_core::registry::{TimelineEntry, timeline};
use guildhall_store::Range;

use crate::Error;
use crate::control::Shared;

pub(super) async fn read(
    shared: &Shared,
    caller: &Caller,
    key: &DocumentKey,
) -> Result<Vec<TimelineEntry>, Error> {
    authorize(
        caller,
        Verb::Read,
        Some(key.kind),
        Some(&key.namespace),
        Some(&key.name),
    )?;
    let missing = || Error::NotFound(key.clone());
    let (service, id) = key.name.split_once('/').ok_or_else(missing)?;
    if shared.view.load().get(key).is_none() {
        return Err(missing());
    }
    let prefix = timeline::prefix(&key.namespace, service, id);
    let page = shared.store.range(Range::prefix(prefix)).await?;
    let entries = page
        .entries
        .iter()
        .map(|entry| serde_json::from_slice(&entry.value));
    Ok(timeline::in_order(entries.collect::<Result<_, _>>()?))
}
