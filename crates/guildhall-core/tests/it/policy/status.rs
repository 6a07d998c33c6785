//! What a policy's status says.

use guildhall_core::policy::{PolicyStatus, Target};
use serde_json::json;

use super::{Written, policies, users, written, written_in};

fn status_of(all: &[Written], name: &str, exists: impl Fn(&Target) -> bool) -> PolicyStatus {
    let one = all.iter().find(|one| one.metadata.name == name).unwrap();
    policies(all).status(&one.metadata, &one.policy, exists)
}

/// `Type=Status Reason: message` of every condition of the first target.
fn conditions(all: &[Written], name: &str) -> Vec<String> {
    let status = status_of(all, name, |_| true);
    let line = |condition: &guildhall_core::route::Condition| {
        format!(
            "{:?}={:?} {}: {}",
            condition.condition_type, condition.status, condition.reason, condition.message
        )
    };
    status.ancestors[0].conditions.iter().map(line).collect()
}

#[test]
fn a_loser_is_told_what_won() {
    let all = [
        written("old", 1, users(), json!({"retry": {"attempts": 1}})),
        written(
            "young",
            2,
            users(),
            json!({"retry": {"attempts": 2, "maxRetryAfter": "1s"}}),
        ),
        written(
            "broad",
            3,
            json!({"kind": "Namespace", "name": "default"}),
            json!({"retry": {"attempts": 3}}),
        ),
    ];
    assert_eq!(conditions(&all, "old"), ["Accepted=True Accepted: "]);
    assert_eq!(
        conditions(&all, "young"),
        [
            "Accepted=True Accepted: ",
            "Conflicted=True Conflicted: retry.attempts: policy default/old (revision 1, on Service default/users) holds; \
             among policies of one target the older wins, then the first by name",
        ]
    );
    assert_eq!(
        conditions(&all, "broad"),
        ["Accepted=True Accepted: "],
        "to be overridden is no conflict"
    );
}

#[test]
fn who_is_only_tried_conflicts_with_nobody_but_is_told() {
    let all = [
        written(
            "tried",
            1,
            users(),
            json!({"mode": "DryRun", "retry": {"attempts": 1}}),
        ),
        written("holds", 2, users(), json!({"retry": {"attempts": 2}})),
        written(
            "too",
            3,
            users(),
            json!({"mode": "DryRun", "retry": {"attempts": 3}}),
        ),
        written(
            "off",
            4,
            users(),
            json!({"mode": "Off", "retry": {"attempts": 4}}),
        ),
    ];
    assert_eq!(conditions(&all, "holds").len(), 1);
    assert!(conditions(&all, "too")[1].contains("retry.attempts: policy default/tried"));
    assert_eq!(
        conditions(&all, "off"),
        ["Accepted=True Accepted: mode is Off: it does nothing"]
    );
}

#[test]
fn a_target_that_is_not_there_is_told() {
    let all = [
        written("a", 1, users(), json!({"retry": {}})),
        written_in(
            "shop",
            "b",
            2,
            json!([{"kind": "Namespace", "name": "default"}]),
            json!({"retry": {}}),
        ),
    ];
    let status = status_of(&all, "a", |_| false);
    assert_eq!(
        serde_json::to_value(&status).unwrap(),
        json!({"ancestors": [{
            "ancestorRef": {"kind": "Service", "name": "users"},
            "controllerName": "guildhall/policy",
            "conditions": [{
                "type": "Accepted", "status": "False", "observedGeneration": 1, "reason": "TargetNotFound",
                "message": "there is no Service default/users; the policy applies once there is",
            }],
        }]})
    );
    assert_eq!(
        conditions(&all, "b"),
        [
            "Accepted=False Invalid: a policy applies to its own namespace: name \"shop\", or put it into \"default\""
        ]
    );
}

#[test]
fn fields_of_several_policies_that_contradict_each_other_are_told_to_each() {
    let all = [
        written(
            "floor",
            1,
            users(),
            json!({"adaptiveConcurrency": {"minConcurrency": 50}}),
        ),
        written(
            "ceiling",
            2,
            users(),
            json!({"adaptiveConcurrency": {"maxConcurrency": 10}}),
        ),
        written("third", 3, users(), json!({"retry": {}})),
    ];
    for name in ["floor", "ceiling"] {
        assert_eq!(
            conditions(&all, name)[1],
            "PartiallyInvalid=True Invalid: /adaptiveConcurrency/initialConcurrency: between minConcurrency and \
             maxConcurrency, the first no greater than the second; made of policy default/floor (revision 1, on Service \
             default/users) and policy default/ceiling (revision 2, on Service default/users): only the most specific \
             policy's fields hold"
        );
    }
    assert_eq!(conditions(&all, "third").len(), 1);
}
