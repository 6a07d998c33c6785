//! Documents in a few words, for tables.

use guildhall_core::{
    document::{Document, Object, Timestamp},
    policy::{Mode, Policy, Section},
    registry::{Health, HealthCounts, Instance},
    route::{ConditionStatus, ConditionType},
};

use crate::table::Tone;

/// How long ago `then` was: `5s`, `3m`, `2h`, `9d`.
pub(super) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_millis().saturating_sub(then.as_millis()) / 1000;
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A health as a word.
pub(super) fn health(health: Health) -> (&'static str, Tone) {
    match health {
        Health::Starting => ("starting", Tone::Doubtful),
        Health::Healthy => ("healthy", Tone::Good),
        Health::Warning => ("warning", Tone::Doubtful),
        Health::Unhealthy => ("unhealthy", Tone::Bad),
        Health::Draining => ("draining", Tone::Doubtful),
        Health::Maintenance => ("maintenance", Tone::Doubtful),
    }
}

/// How many of how many take traffic.
pub(super) fn counts(counts: &HealthCounts) -> (String, Tone) {
    let tone = match (counts.used(), counts.total) {
        (_, 0) => Tone::Plain,
        (0, _) => Tone::Bad,
        (used, total) if used < total => Tone::Doubtful,
        _ => Tone::Good,
    };
    (format!("{}/{}", counts.used(), counts.total), tone)
}

/// Where an instance listens.
pub(super) fn address(instance: &Instance) -> String {
    let host = if instance.host.contains(':') {
        format!("[{}]", instance.host)
    } else {
        instance.host.clone()
    };
    let ports: Vec<String> = instance
        .ports
        .iter()
        .map(|port| port.port.to_string())
        .collect();
    format!("{host}:{}", ports.join(","))
}

/// What matters most about a document.
pub(super) fn summary(document: &Document) -> (String, Tone) {
    let plain = |text: String| (text, Tone::Plain);
    match document {
        Document::Service(service) => {
            let spec = &service.spec;
            plain(
                spec.description
                    .clone()
                    .or_else(|| spec.display_name.clone())
                    .unwrap_or_default(),
            )
        }
        Document::ServiceVersion(version) => {
            let dependencies: Vec<&str> = version
                .spec
                .dependencies
                .iter()
                .map(|one| one.service.as_str())
                .collect();
            plain(match dependencies.as_slice() {
                [] => format!("{} endpoints", version.spec.api.endpoints.len()),
                names => format!(
                    "{} endpoints, calls {}",
                    version.spec.api.endpoints.len(),
                    names.join(", ")
                ),
            })
        }
        Document::Instance(instance) => {
            let (word, tone) = health(
                instance
                    .status
                    .as_ref()
                    .map_or(Health::Starting, |status| status.health),
            );
            (format!("{word} at {}", address(&instance.spec)), tone)
        }
        Document::Lock(lock) => match lock
            .status
            .as_ref()
            .and_then(|status| status.holder.as_ref())
        {
            Some(holder) => (
                format!("held by {} (token {})", holder.owner, holder.token),
                Tone::Good,
            ),
            None => plain("free".to_owned()),
        },
        Document::Gateway(gateway) => {
            let listeners: Vec<String> = gateway
                .spec
                .listeners
                .iter()
                .map(|listener| format!("{}:{}", listener.protocol, listener.port))
                .collect();
            plain(listeners.join(", "))
        }
        Document::HttpRoute(route) => {
            let hosts = if route.spec.hostnames.is_empty() {
                "every host".to_owned()
            } else {
                route.spec.hostnames.join(", ")
            };
            plain(format!("{hosts}, {} rules", route.spec.rules.len()))
        }
        Document::Policy(policy) => policy_summary(policy),
        Document::Config(config) => {
            let format = config
                .spec
                .format
                .map_or("", guildhall_core::config::Format::name);
            let size = config.spec.size.unwrap_or_default();
            plain(format!(
                "version {}, {format}, {size} bytes",
                config.metadata.version
            ))
        }
    }
}

/// What a policy says of what, and whether it holds.
fn policy_summary(policy: &Object<Policy>) -> (String, Tone) {
    let sections = policy.spec.sections();
    let said: Vec<&str> = Section::ALL
        .iter()
        .filter(|section| sections.has(**section))
        .map(|section| section.name())
        .collect();
    let targets: Vec<String> = policy
        .spec
        .target_refs
        .iter()
        .map(|target| format!("{} {}", target.kind.word(), target.name))
        .collect();
    let (mode, mut tone) = match policy.spec.mode {
        Mode::Enforce => ("", Tone::Plain),
        Mode::DryRun => ("tried: ", Tone::Doubtful),
        Mode::Off => ("off: ", Tone::Doubtful),
    };
    let status = policy.status.as_ref();
    let trouble: Vec<&str> = status
        .iter()
        .flat_map(|status| &status.ancestors)
        .flat_map(|ancestor| &ancestor.conditions)
        .filter(|condition| {
            let wanted = match condition.condition_type {
                ConditionType::Accepted => ConditionStatus::True,
                _ => ConditionStatus::False,
            };
            condition.status != wanted
        })
        .map(|condition| &*condition.reason)
        .collect();
    let mut summary = format!("{mode}{} on {}", said.join(", "), targets.join(", "));
    if !trouble.is_empty() {
        tone = Tone::Bad;
        summary = format!("{summary} ({})", trouble.join(", "));
    }
    (summary, tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let now = Timestamp(1_000_000_000_000);
        for (seconds, expect) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (7199, "119m"),
            (7200, "2h"),
            (172_800, "2d"),
        ] {
            assert_eq!(age(Timestamp(now.0 - seconds * 1000), now), expect);
        }
        assert_eq!(age(Timestamp(now.0 + 5000), now), "0s");
    }
}
