//! Who decides that a gray release is to be taken back. Pure; what watches over them is `service`.

use guildhall_core::config::ConfigName;
use guildhall_core::config::{GrayRelease, ListenerState};
use guildhall_core::document::{Document, DocumentKey, Kind};
use guildhall_core::registry::Health;

use super::listeners::Audience;
use crate::view::State;

/// Decides over gray releases by one kind of evidence.
pub(super) trait Judge: Send + Sync {
    /// Why the release is to be taken back; `None` as long as nothing speaks against it.
    fn against(
        &self,
        release: &GrayRelease,
        audience: &[Audience],
        state: &State,
    ) -> Option<String>;
}

/// Those who are asked, in order.
pub(super) const JUDGES: &[&dyn Judge] = &[&Failures, &HealthOfInstances];

/// By listeners that could not apply it.
struct Failures;

impl Judge for Failures {
    fn against(&self, release: &GrayRelease, audience: &[Audience], _: &State) -> Option<String> {
        let failed = audience
            .iter()
            .filter(|one| one.state == ListenerState::Failed);
        let failed: Vec<&Audience> = failed.collect();
        let first = failed.first()?;
        let error = first.error.as_deref().unwrap_or("it did not say why");
        exceeds(failed.len(), release.judgement.max_failed).then(|| {
            format!(
                "{} of {} could not apply it; {}: {error}",
                failed.len(),
                audience.len(),
                first.instance
            )
        })
    }
}

/// By instances that turned unhealthy after they got it.
struct HealthOfInstances;

impl Judge for HealthOfInstances {
    fn against(
        &self,
        release: &GrayRelease,
        audience: &[Audience],
        state: &State,
    ) -> Option<String> {
        let ill = audience.iter().filter(|one| turned_unhealthy(one, state));
        let ill: Vec<&Audience> = ill.collect();
        let first = ill.first()?;
        exceeds(ill.len(), release.judgement.max_unhealthy).then(|| {
            format!(
                "{} of {} turned unhealthy after they got it, {} first",
                ill.len(),
                audience.len(),
                first.instance
            )
        })
    }
}

fn exceeds(count: usize, most: u32) -> bool {
    u32::try_from(count).is_ok_and(|count| count > most)
}

fn turned_unhealthy(one: &Audience, state: &State) -> bool {
    let Ok(ConfigName { service, .. }) = ConfigName::parse(&one.file.name) else {
        return false;
    };
    let name = format!("{service}/{}", one.instance);
    let key = DocumentKey::new(Kind::Instance, one.file.namespace.clone(), name);
    let Some(Document::Instance(instance)) = state.get(&key) else {
        return false;
    };
    let status = instance.status.as_ref();
    status.is_some_and(|status| status.health == Health::Unhealthy && status.since >= one.since)
}
