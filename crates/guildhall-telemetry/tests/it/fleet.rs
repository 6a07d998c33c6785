//! Requests as a fleet of services would send them: seeded, with what is rare among them.

use guildhall_telemetry::otlp;
use guildhall_telemetry::rows::Rows;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

const SERVICES: [&str; 4] = ["gateway", "orders", "payments", "users"];
const NAMES: [&str; 3] = ["GET /orders/{id}", "POST /orders", "SELECT"];

pub(crate) fn pair(key: &str, value: Any) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Any::StringValue(value.to_owned()))
}

fn attributes(rng: &mut fastrand::Rng) -> Vec<KeyValue> {
    let mut all = vec![
        text("http.request.method", ["GET", "POST"][rng.usize(0..2)]),
        pair(
            "http.response.status_code",
            Any::IntValue([200, 404, 500][rng.usize(0..3)]),
        ),
        text("user.id", &format!("user-{}", rng.u32(0..50))),
    ];
    match rng.u8(0..6) {
        0 => all.push(pair("ratio", Any::DoubleValue(rng.f64()))),
        1 => all.push(pair("cached", Any::BoolValue(rng.bool()))),
        // The same key, of another type than elsewhere.
        2 => all.push(pair("user.id", Any::IntValue(rng.i64(0..50)))),
        3 => all.push(pair(
            "list",
            Any::ArrayValue(ArrayValue {
                values: vec![AnyValue {
                    value: Some(Any::IntValue(1)),
                }],
            }),
        )),
        4 => all.push(pair("raw", Any::BytesValue(vec![0, 255, rng.u8(..)]))),
        // The same key twice.
        _ => all.push(text("http.request.method", "again")),
    }
    all
}

fn span(rng: &mut fastrand::Rng, trace: [u8; 16], parent: Option<[u8; 8]>, start: u64) -> Span {
    let mut span = Span {
        trace_id: trace.to_vec(),
        span_id: rng.u64(1..).to_be_bytes().to_vec(),
        parent_span_id: parent.map_or_else(Vec::new, |id| id.to_vec()),
        name: NAMES[rng.usize(0..3)].to_owned(),
        kind: rng.i32(0..6),
        start_time_unix_nano: start,
        end_time_unix_nano: start + rng.u64(0..1_000_000_000),
        attributes: attributes(rng),
        flags: 0x101,
        ..Span::default()
    };
    if rng.u8(0..8) == 0 {
        span.status = Some(Status {
            message: "no such order".to_owned(),
            code: 2,
        });
        span.trace_state = "a=b".to_owned();
        span.dropped_attributes_count = 3;
        span.events = vec![Event {
            time_unix_nano: start,
            name: "exception".to_owned(),
            ..Event::default()
        }];
        span.links = vec![Link {
            trace_id: trace.to_vec(),
            span_id: vec![1; 8],
            ..Link::default()
        }];
    }
    span
}

/// Requests of one service each.
pub(crate) fn requests(seed: u64, traces: usize) -> Vec<ExportTraceServiceRequest> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut of: Vec<Vec<Span>> = vec![Vec::new(); SERVICES.len()];
    for at in 0..traces {
        let mut trace = [0; 16];
        rng.fill(&mut trace);
        let mut ids: Vec<[u8; 8]> = Vec::new();
        for _ in 0..rng.usize(1..9) {
            let parent = ids.get(rng.usize(0..ids.len().max(1))).copied();
            let start = 1_790_000_000_000_000_000 + 1_000_000 * at as u64 + rng.u64(0..5_000_000);
            let made = span(&mut rng, trace, parent, start);
            ids.push(made.span_id.clone().try_into().unwrap());
            of[rng.usize(0..SERVICES.len())].push(made);
        }
    }
    let request = |(service, spans): (&str, Vec<Span>)| ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text("host.name", &format!("node-of-{service}")),
                    text("service.name", service),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "http".to_owned(),
                    version: "1".to_owned(),
                    ..InstrumentationScope::default()
                }),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    SERVICES.into_iter().zip(of).map(request).collect()
}

/// All of them as rows.
pub(crate) fn rows(seed: u64, traces: usize) -> Rows {
    let mut all = Rows::default();
    for request in requests(seed, traces) {
        let (rows, rejected) = otlp::traces(&request.encode_to_vec()).unwrap();
        assert_eq!(rejected.spans, 0);
        let every: Vec<u32> = (0..u32::try_from(rows.len()).unwrap()).collect();
        all.append(&rows, &every);
    }
    all
}

/// All that a row says, to be compared.
pub(crate) fn said(rows: &Rows, row: u32) -> String {
    let at = row as usize;
    let mut attributes: Vec<String> = rows
        .attributes
        .of(row)
        .map(|pair| format!("{pair:?}"))
        .collect();
    attributes.sort();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {attributes:?}",
        rows.fixed(row).unwrap(),
        rows.names.get(rows.name[at]).unwrap(),
        rows.resources.get(rows.resource[at]).unwrap(),
        rows.scopes.get(rows.scope[at]).unwrap(),
        rows.messages.get(row),
        rows.trace_states.get(row),
        rows.details.get(row),
        row,
    )
    .replace(&format!(" {row} ["), " [")
}
