//! Whom a gray release is for.

use std::collections::BTreeMap;

use guildhall_core::{
    config::{
        Gray, Listener,
        gray::{Match, first_for},
    },
    document::{Pointer, Problems},
};
use proptest::prelude::*;
use serde_json::json;

fn rule(json: serde_json::Value) -> Match {
    serde_json::from_value(json).unwrap()
}

#[test]
fn what_a_rule_gives_must_hold_together() {
    let labels = BTreeMap::from([("tier".to_owned(), "canary".to_owned())]);
    let listener = Listener {
        instance: "u-1",
        zone: Some("a"),
        labels: &labels,
    };
    for (json, expect) in [
        (json!({}), false),
        (json!({"labels": {"tier": "canary"}}), true),
        (json!({"labels": {"tier": "canary", "x": ""}}), false),
        (json!({"instances": ["u-2", "u-1"]}), true),
        (json!({"instances": ["u-2"]}), false),
        (json!({"zones": ["b", "a"]}), true),
        (json!({"zones": ["b"], "instances": ["u-1"]}), false),
        (json!({"percentage": 0}), false),
        (json!({"percentage": 100}), true),
        (json!({"percentage": 100, "zones": ["b"]}), false),
        (json!({"percentage": 0, "instances": ["u-1"]}), false),
    ] {
        let rule = rule(json.clone());
        let gray = Gray {
            seed: "s",
            rule: &rule,
        };
        assert_eq!(gray.selects(&listener), expect, "{json}");
    }
    let zoneless = Listener {
        zone: None,
        ..listener
    };
    let zones = rule(json!({"zones": ["a"]}));
    assert!(
        !Gray {
            seed: "s",
            rule: &zones
        }
        .selects(&zoneless)
    );
}

#[test]
fn the_first_that_selects_wins() {
    let rules = [
        json!({"zones": ["x"]}),
        json!({"percentage": 100}),
        json!({"instances": ["u-1"]}),
    ]
    .map(rule);
    let grays = rules
        .iter()
        .enumerate()
        .map(|(n, rule)| (n, Gray { seed: "s", rule }));
    let labels = BTreeMap::new();
    let listener = Listener {
        instance: "u-1",
        zone: None,
        labels: &labels,
    };
    assert_eq!(first_for(grays, &listener), Some(1));
}

#[test]
fn what_is_out_of_bounds_is_told() {
    for (json, expect) in [
        (
            json!({}),
            "/gray: say whom it is for: labels, instances, zones or a percentage (100 for everyone)",
        ),
        (json!({"percentage": 101}), "/gray/percentage: 0 to 100"),
        (json!({"percentage": -0.5}), "/gray/percentage: 0 to 100"),
        (
            json!({"instances": vec!["x"; 1025]}),
            "/gray/instances: at most 1024",
        ),
        (json!({"percentage": 0}), ""),
    ] {
        let mut problems = Problems::default();
        rule(json).validate(&Pointer::root("gray"), &mut problems);
        assert_eq!(problems.to_string(), expect);
    }
}

proptest! {
    #[test]
    fn raising_the_percentage_only_adds(seed in ".{0,12}", ids in prop::collection::vec(".{0,16}", 1..40), a in 0.0..100.0_f64, b in 0.0..100.0_f64) {
        let labels = BTreeMap::new();
        let rules = [a.min(b), a.max(b)].map(|share| rule(json!({"percentage": share})));
        for id in &ids {
            let listener = Listener { instance: id, zone: None, labels: &labels };
            let [few, more] = [&rules[0], &rules[1]].map(|rule| Gray { seed: &seed, rule }.selects(&listener));
            prop_assert!(more || !few);
            // Neither zone nor labels move an instance.
            let others = BTreeMap::from([("a".to_owned(), id.clone())]);
            let elsewhere = Listener { zone: Some("z"), labels: &others, ..listener };
            prop_assert_eq!(Gray { seed: &seed, rule: &rules[0] }.selects(&elsewhere), few);
        }
    }
}
