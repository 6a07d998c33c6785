//! What a transition makes of a status. Pure.

use guildhall_core::document::Timestamp;
use guildhall_core::registry::health::Transition;
use guildhall_core::registry::status::verdict;
use guildhall_core::registry::{Check, CheckStatus, InstanceStatus, Maintenance, TimelineEntry};

/// Takes a transition into a status and says what to write into the timeline (without its
/// number). `None` if the instance no longer has the check.
pub(super) fn apply(status: &mut InstanceStatus, transition: &Transition) -> Option<TimelineEntry> {
    let check = status
        .checks
        .iter_mut()
        .find(|check| check.name == *transition.check)?;
    check.state = transition.to;
    check.since = transition.at;
    check.output.clone_from(&transition.output);
    let from = status.health;
    judge(status, transition.at);
    Some(TimelineEntry {
        number: 0,
        at: transition.at,
        from,
        to: status.health,
        check: Some(transition.check.to_string()),
        state: Some(transition.to),
        output: transition.output.clone(),
    })
}

/// Takes an operator's wish into a status and says what to write into the timeline (without its
/// number). `None` if nothing changes.
pub(super) fn hold(
    status: &mut InstanceStatus,
    maintenance: Option<Maintenance>,
    at: Timestamp,
) -> Option<TimelineEntry> {
    if status.maintenance == maintenance {
        return None;
    }
    let output = maintenance
        .as_ref()
        .map(|maintenance| maintenance.reason.clone())
        .unwrap_or_default();
    status.maintenance = maintenance;
    let from = status.health;
    judge(status, at);
    Some(TimelineEntry {
        number: 0,
        at,
        from,
        to: status.health,
        check: None,
        state: None,
        output,
    })
}

/// Makes a stored status fit the checks that the instance has now: those that are gone are left
/// out, new ones stand where they begin. A status that fits is not touched.
pub(crate) fn reconcile(status: &mut InstanceStatus, checks: &[Check], since: Timestamp) {
    let names = status.checks.iter().map(|check| check.name.as_str());
    if names.eq(checks.iter().map(|check| check.name.as_str())) {
        return;
    }
    let mut known = std::mem::take(&mut status.checks);
    status.checks = checks
        .iter()
        .map(
            |check| match known.iter().position(|known| known.name == check.name) {
                Some(at) => known.swap_remove(at),
                None => CheckStatus {
                    name: check.name.clone(),
                    state: check.first_state(),
                    since,
                    output: String::new(),
                },
            },
        )
        .collect();
    judge(status, since);
}

fn judge(status: &mut InstanceStatus, at: Timestamp) {
    let health = verdict(
        status.checks.iter().map(|check| check.state),
        status.maintenance.as_ref(),
    );
    if health != status.health {
        status.health = health;
        status.since = at;
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::registry::{CheckState, Health};

    use super::*;

    fn status(checks: &[(&str, CheckState)]) -> InstanceStatus {
        let check = |(name, state): &(&str, CheckState)| CheckStatus {
            name: (*name).to_owned(),
            state: *state,
            since: Timestamp(1),
            output: String::new(),
        };
        let mut status = InstanceStatus {
            checks: checks.iter().map(check).collect(),
            ..InstanceStatus::default()
        };
        judge(&mut status, Timestamp(1));
        status
    }

    fn transition(check: &str, from: CheckState, to: CheckState) -> Transition {
        Transition {
            from,
            to,
            check: check.into(),
            output: "said so".to_owned(),
            at: Timestamp(9),
        }
    }

    #[test]
    fn the_health_changes_only_when_the_worst_check_does() {
        let mut status = status(&[("a", CheckState::Passing), ("b", CheckState::Critical)]);
        assert_eq!(status.health, Health::Unhealthy);
        let entry = apply(
            &mut status,
            &transition("a", CheckState::Passing, CheckState::Warning),
        )
        .unwrap();
        assert_eq!(
            (entry.from, entry.to),
            (Health::Unhealthy, Health::Unhealthy)
        );
        assert_eq!(
            (status.since, status.checks[0].since),
            (Timestamp(1), Timestamp(9))
        );
        let entry = apply(
            &mut status,
            &transition("b", CheckState::Critical, CheckState::Passing),
        )
        .unwrap();
        assert_eq!(
            (entry.from, entry.to, status.since),
            (Health::Unhealthy, Health::Warning, Timestamp(9))
        );
        assert_eq!(
            apply(
                &mut status,
                &transition("c", CheckState::Passing, CheckState::Critical)
            ),
            None
        );
    }

    #[test]
    fn maintenance_wins_and_ends() {
        let mut status = status(&[("a", CheckState::Passing)]);
        let wish = Some(Maintenance {
            mode: Default::default(),
            reason: "disk".to_owned(),
            by: "ops".to_owned(),
        });
        let entry = hold(&mut status, wish.clone(), Timestamp(5)).unwrap();
        assert_eq!(
            (entry.to, entry.output.as_str()),
            (Health::Maintenance, "disk")
        );
        assert_eq!(hold(&mut status, wish, Timestamp(6)), None);
        apply(
            &mut status,
            &transition("a", CheckState::Passing, CheckState::Critical),
        )
        .unwrap();
        assert_eq!(status.health, Health::Maintenance);
        assert_eq!(
            hold(&mut status, None, Timestamp(7)).unwrap().to,
            Health::Unhealthy
        );
    }

    #[test]
    fn a_status_follows_the_checks_that_there_are() {
        let check = |name: &str| -> Check {
            serde_json::from_value(serde_json::json!({"type": "ttl", "ttl": "1s", "name": name}))
                .unwrap()
        };
        let mut kept = status(&[("a", CheckState::Passing), ("b", CheckState::Critical)]);
        let before = kept.clone();
        reconcile(&mut kept, &[check("a"), check("b")], Timestamp(5));
        assert_eq!(kept, before);
        reconcile(&mut kept, &[check("a")], Timestamp(5));
        assert_eq!(
            (kept.health, kept.since, kept.checks.len()),
            (Health::Healthy, Timestamp(5), 1)
        );
        reconcile(&mut kept, &[check("c"), check("a")], Timestamp(6));
        assert_eq!(
            (kept.health, kept.checks[0].state),
            (Health::Starting, CheckState::Starting)
        );
        reconcile(&mut kept, &[], Timestamp(7));
        assert_eq!(kept.health, Health::Healthy);
    }
}
