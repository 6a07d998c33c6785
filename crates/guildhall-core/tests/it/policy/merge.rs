//! Field by field the most specific wins, then the older, then by name; and where each field is from can be read.

use guildhall_core::document::Namespace;
use guildhall_core::policy::{Chain, Effective, compile, spec::Sections};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::samples::{Sample, samples};
use super::{Written, policies, users, whole_chain, written, written_in};

/// Every target on the way of [`whole_chain`], the most specific first.
fn targets() -> [Value; 7] {
    [
        json!({"kind": "HTTPRoute", "name": "route", "sectionName": "rule"}),
        json!({"kind": "HTTPRoute", "name": "route", "group": "gateway.networking.k8s.io"}),
        users(),
        json!({"kind": "Gateway", "name": "web", "sectionName": "https"}),
        json!({"kind": "Gateway", "name": "web"}),
        json!({"kind": "Namespace", "name": "default"}),
        json!({"kind": "Service", "name": "another"}),
    ]
}

fn enforced(written: &[Written]) -> Effective {
    policies(written).resolve(&whole_chain()).enforced
}

/// `field = value from policy`, one line for each.
fn told(effective: &Effective) -> Vec<String> {
    let value = serde_json::to_value(effective).unwrap();
    let line = |field: &&str| {
        let (section, name) = field.split_once('.')?;
        let policy = &effective.origins[field].source.policy;
        Some(format!("{field} = {} from {policy}", value[section][name]))
    };
    effective.origins.keys().filter_map(line).collect()
}

#[test]
fn the_most_specific_target_wins_field_by_field() {
    let [rule, route, service, listener, gateway, namespace, other] = targets();
    let all = [
        written(
            "namespace",
            1,
            namespace,
            json!({"retry": {"attempts": 1, "maxRetryAfter": "1s"}, "bulkhead": {}}),
        ),
        written(
            "gateway",
            2,
            gateway,
            json!({"retry": {"attempts": 2, "maxRetryAfter": "2s"}, "timeouts": {"deadlineMargin": "2ms"}}),
        ),
        written(
            "listener",
            3,
            listener,
            json!({"retry": {"attempts": 3}, "timeouts": {"request": "3s", "deadlineMargin": "3ms"}}),
        ),
        written(
            "service",
            4,
            service,
            json!({"timeouts": {"request": "4s", "backendRequest": "4s"}}),
        ),
        written(
            "route",
            5,
            route,
            json!({"timeouts": {"request": "5s"}, "retry": {}}),
        ),
        written("rule", 6, rule, json!({"timeouts": {"request": "6s"}})),
        written(
            "other",
            7,
            other,
            json!({"timeouts": {"request": "7s"}, "hedging": {}}),
        ),
    ];
    let effective = enforced(&all);
    assert_eq!(
        told(&effective),
        [
            "retry.attempts = 3 from listener",
            "retry.maxRetryAfter = \"2s\" from gateway",
            "timeouts.backendRequest = \"4s\" from service",
            "timeouts.deadlineMargin = \"3ms\" from listener",
            "timeouts.request = \"6s\" from rule",
        ]
    );
    assert_eq!(
        effective.origins["retry"].source.policy, "route",
        "the most specific that has the section"
    );
    assert_eq!(effective.origins["bulkhead"].source.policy, "namespace");
    assert!(
        effective.sections.hedging.is_none(),
        "it is another service's"
    );
    assert_eq!(
        effective.conflicts,
        [],
        "who is overridden has lost nothing that was meant to be his"
    );
    let over: Vec<&str> = effective.origins["timeouts.request"]
        .over
        .iter()
        .map(|source| source.policy.as_str())
        .collect();
    assert_eq!(over, ["route", "service", "listener"]);
}

#[test]
fn ties_go_to_the_older_then_by_name_and_the_loser_is_told() {
    let retry = |attempts: u32| json!({"retry": {"attempts": attempts}});
    let mut unborn = written("aa", 0, users(), retry(5));
    unborn.metadata.created_at = None;
    let all = [
        unborn,
        written(
            "young",
            9,
            users(),
            json!({"retry": {"attempts": 1, "maxRetryAfter": "1s"}}),
        ),
        written("b", 3, users(), retry(2)),
        written("a", 3, users(), retry(3)),
    ];
    let effective = enforced(&all);
    assert_eq!(
        told(&effective),
        [
            "retry.attempts = 3 from a",
            "retry.maxRetryAfter = \"1s\" from young"
        ]
    );
    let conflicts: Vec<String> = effective
        .conflicts
        .iter()
        .map(|conflict| {
            format!(
                "{}: {} over {}",
                conflict.field, conflict.winner.policy, conflict.loser.policy
            )
        })
        .collect();
    assert_eq!(
        conflicts,
        [
            "retry.attempts: a over b",
            "retry.attempts: a over young",
            "retry.attempts: a over aa",
        ]
    );
    assert_eq!(
        effective.conflicts[0].winner.to_string(),
        "policy default/a (revision 3, on Service default/users)"
    );
}

#[test]
fn what_is_tried_is_told_beside_what_holds() {
    let all = [
        written(
            "holds",
            1,
            users(),
            json!({"retry": {"attempts": 1}, "bulkhead": {"maxConcurrentCalls": 5}}),
        ),
        written(
            "tried",
            2,
            json!({"kind": "HTTPRoute", "name": "route"}),
            json!({"mode": "DryRun", "retry": {"attempts": 0}}),
        ),
        written(
            "off",
            3,
            json!({"kind": "HTTPRoute", "name": "route"}),
            json!({"mode": "Off", "timeouts": {"request": "1s"}}),
        ),
    ];
    let resolved = policies(&all).resolve(&whole_chain());
    assert_eq!(
        told(&resolved.enforced),
        [
            "bulkhead.maxConcurrentCalls = 5 from holds",
            "retry.attempts = 1 from holds"
        ]
    );
    let tried = resolved.dry_run.unwrap();
    assert_eq!(
        told(&tried),
        [
            "bulkhead.maxConcurrentCalls = 5 from holds",
            "retry.attempts = 0 from tried"
        ]
    );
    assert!(tried.origins["retry.attempts"].source.dry_run);

    let elsewhere = Chain::default().service(&Namespace::default(), "users");
    assert_eq!(
        policies(&all).resolve(&elsewhere).dry_run,
        None,
        "nothing is tried there"
    );
}

#[test]
fn a_policy_applies_to_its_own_namespace() {
    let all = [
        written_in(
            "shop",
            "service",
            1,
            json!([users()]),
            json!({"retry": {"attempts": 1}}),
        ),
        written_in(
            "shop",
            "namespace",
            2,
            json!([{"kind": "Namespace", "name": "default"}]),
            json!({"retry": {"attempts": 2}}),
        ),
    ];
    assert_eq!(enforced(&all), Effective::default());
    let shop = Namespace::new("shop").unwrap();
    let there = policies(&all).resolve(&Chain::default().service(&shop, "users"));
    assert_eq!(told(&there.enforced), ["retry.attempts = 1 from service"]);
}

#[test]
fn the_namespace_is_the_services_where_they_differ() {
    let (here, shop) = (Namespace::default(), Namespace::new("shop").unwrap());
    let all = [
        written(
            "ours",
            1,
            json!({"kind": "Namespace", "name": "default"}),
            json!({"retry": {"attempts": 1}}),
        ),
        written_in(
            "shop",
            "theirs",
            2,
            json!([{"kind": "Namespace", "name": "shop"}]),
            json!({"retry": {"attempts": 2}}),
        ),
    ];
    let attempts = |chain: Chain| told(&policies(&all).resolve(&chain).enforced);
    let gateway = Chain::default().gateway(&here, "web", None);
    assert_eq!(attempts(gateway.clone()), ["retry.attempts = 1 from ours"]);
    assert_eq!(
        attempts(gateway.service(&shop, "users")),
        ["retry.attempts = 2 from theirs"]
    );
}

#[test]
fn a_policy_with_several_targets_counts_at_the_most_specific() {
    let everywhere = Value::from(targets().to_vec());
    let all = [
        written_in(
            "default",
            "everywhere",
            9,
            everywhere,
            json!({"retry": {"attempts": 1}}),
        ),
        written("service", 1, users(), json!({"retry": {"attempts": 2}})),
    ];
    let effective = enforced(&all);
    assert_eq!(told(&effective), ["retry.attempts = 1 from everywhere"]);
    let origin = &effective.origins["retry.attempts"];
    assert_eq!(
        origin.source.target.to_string(),
        "HTTPRoute default/route (rule)"
    );
    assert_eq!(origin.over.len(), 1, "it is not overridden by itself");
}

#[test]
fn sections_that_belong_to_services_count_on_no_other_target() {
    // Refused when written; a document that an older version let through has no say either.
    let route = json!({"kind": "HTTPRoute", "name": "route"});
    let all = [written(
        "a",
        1,
        route,
        json!({"bulkhead": {"maxConcurrentCalls": 1}, "retry": {"attempts": 1}}),
    )];
    assert_eq!(told(&enforced(&all)), ["retry.attempts = 1 from a"]);
}

/// A policy of the model: which target, how old, and which sample of which fields.
#[derive(Clone, Debug)]
struct Drawn {
    target: usize,
    at: u64,
    mode: &'static str,
    fields: Vec<(usize, bool)>,
}

fn drawn(samples: usize) -> impl Strategy<Value = Vec<Drawn>> {
    let mode = prop_oneof![4 => Just("Enforce"), 2 => Just("DryRun"), 1 => Just("Off")];
    let fields = prop::collection::vec((0..samples, any::<bool>()), 0..12);
    let one = (0..7_usize, 0..3_u64, mode, fields).prop_map(|(target, at, mode, fields)| Drawn {
        target,
        at,
        mode,
        fields,
    });
    prop::collection::vec(one, 0..10)
}

fn spec_of(drawn: &Drawn, samples: &[Sample]) -> Value {
    let mut spec = json!({"mode": drawn.mode});
    for (sample, second) in &drawn.fields {
        let (section, field, a, b) = &samples[*sample];
        spec[section][field] = if *second { b.clone() } else { a.clone() };
    }
    spec
}

/// For each field on its own: of all policies that have it, the one that no other one beats.
fn naive(
    drawn: &[Drawn],
    samples: &[Sample],
    counts: impl Fn(&Drawn) -> bool,
) -> (Value, Map<String, Value>) {
    let mut merged = json!({});
    let mut from = Map::new();
    for (section, field, ..) in samples {
        let for_services = [
            "loadBalancer",
            "circuitBreaker",
            "outlierDetection",
            "bulkhead",
            "adaptiveConcurrency",
        ]
        .contains(section);
        let candidates = drawn.iter().enumerate().filter_map(|(n, one)| {
            let value = spec_of(one, samples).get(section)?.get(field)?.clone();
            let fits = one.target < 6 && (!for_services || [2, 5].contains(&one.target));
            (fits && counts(one)).then_some(((one.target, one.at, n), value))
        });
        let mut ranked: Vec<_> = candidates.collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        let name = |n: usize| format!("p{n}");
        if let [(best, value), rest @ ..] = &ranked[..] {
            merged[section][field] = value.clone();
            let over: Vec<String> = rest.iter().map(|(rank, _)| name(rank.2)).collect();
            let lost = rest.iter().filter(|(rank, _)| rank.0 == best.0);
            let lost: Vec<String> = lost.map(|(rank, _)| name(rank.2)).collect();
            let told = json!({"policy": name(best.2), "over": over, "conflicts": lost});
            from.insert(format!("{section}.{field}"), told);
        }
    }
    // Through the types, so that numbers are written alike.
    let merged: Sections = serde_json::from_value(merged).unwrap();
    (serde_json::to_value(merged).unwrap(), from)
}

/// The sections that have fields; and for each field whose it is, whose it is not, and who lost it in a tie.
fn seen(effective: &Effective) -> (Value, Map<String, Value>) {
    let mut merged = serde_json::to_value(&effective.sections).unwrap();
    if let Some(sections) = merged.as_object_mut() {
        sections.retain(|_, fields| fields != &json!({}));
    }
    let fields = effective
        .origins
        .iter()
        .filter(|(field, _)| field.contains('.'));
    let from = fields.map(|(field, origin)| {
        let over: Vec<&str> = origin
            .over
            .iter()
            .map(|source| source.policy.as_str())
            .collect();
        let lost = effective
            .conflicts
            .iter()
            .filter(|conflict| conflict.field == *field);
        let lost: Vec<&str> = lost
            .map(|conflict| conflict.loser.policy.as_str())
            .collect();
        let told = json!({"policy": origin.source.policy, "over": over, "conflicts": lost});
        ((*field).to_owned(), told)
    });
    (merged, from.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_merge_is_what_looking_at_each_field_alone_finds(drawn in drawn(samples().len()), turn in 0..10_usize) {
        let samples = samples();
        let mut all: Vec<Written> = drawn
            .iter()
            .enumerate()
            .map(|(n, one)| written(&format!("p{n}"), one.at, targets()[one.target].clone(), spec_of(one, &samples)))
            .collect();
        if !all.is_empty() {
            // The order in which they arrive does not matter.
            let turn = turn % all.len();
            all.rotate_left(turn);
        }
        let resolved = policies(&all).resolve(&whole_chain());
        let by_json = |(merged, from): (Value, Map<String, Value>)| (merged, Value::Object(from));
        prop_assert_eq!(
            by_json(seen(&resolved.enforced)),
            by_json(naive(&drawn, &samples, |one| one.mode == "Enforce"))
        );
        let tried = drawn.iter().any(|one| one.mode == "DryRun" && one.target < 6);
        prop_assert_eq!(resolved.dry_run.is_some(), tried);
        if let Some(tried) = &resolved.dry_run {
            prop_assert_eq!(by_json(seen(tried)), by_json(naive(&drawn, &samples, |one| one.mode != "Off")));
        }
        // What each says alone can be compiled; only together can they contradict each other.
        let (_, problems) = compile(&resolved.enforced);
        for problem in problems {
            prop_assert!(problem.sources.len() > 1, "{problem}");
        }
    }
}
