//! OTLP read as OpenTelemetry's own types write it, and whatever else comes.

use guildhall_telemetry::otlp;
use guildhall_telemetry::rows::{Attributes, Rows, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::AnyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use proptest::prelude::*;
use prost::Message;

use crate::fleet;

fn spans(request: &mut ExportTraceServiceRequest) -> &mut Vec<Span> {
    &mut request.resource_spans[0].scope_spans[0].spans
}

fn is_same(value: Value<'_>, any: &Any) -> bool {
    match (value, any) {
        (Value::Text(text), Any::StringValue(other)) => text == other.as_bytes(),
        (Value::Int(number), Any::IntValue(other)) => number == *other,
        (Value::Double(number), Any::DoubleValue(other)) => number.to_bits() == other.to_bits(),
        (Value::Bool(flag), Any::BoolValue(other)) => flag == *other,
        (Value::Other(message), other) => {
            AnyValue::decode(message).unwrap().value.as_ref() == Some(other)
        }
        _ => false,
    }
}

#[test]
fn nothing_that_a_span_says_is_lost() {
    for mut request in fleet::requests(1, 300) {
        let (rows, rejected) = otlp::traces(&request.encode_to_vec()).unwrap();
        assert_eq!(rejected.spans, 0);
        let resource = request.resource_spans[0].resource.clone().unwrap();
        let sent = spans(&mut request);
        assert_eq!(rows.len(), sent.len());
        for (row, span) in (0_u32..).zip(sent) {
            let at = row as usize;
            assert_eq!(rows.trace_ids[at].as_slice(), span.trace_id);
            assert_eq!(rows.span_ids[at].as_slice(), span.span_id);
            let parent = if span.parent_span_id.is_empty() {
                vec![0; 8]
            } else {
                span.parent_span_id.clone()
            };
            assert_eq!(rows.parents[at].as_slice(), parent);
            assert_eq!(rows.starts[at], span.start_time_unix_nano);
            assert_eq!(
                rows.durations[at],
                span.end_time_unix_nano - span.start_time_unix_nano
            );
            assert_eq!(
                (i32::from(rows.kinds[at]), rows.flags[at]),
                (span.kind, span.flags)
            );
            assert_eq!(rows.names.get(rows.name[at]), Some(span.name.as_bytes()));
            let status = span.status.clone().unwrap_or_default();
            assert_eq!(i32::from(rows.statuses[at]), status.code);
            assert_eq!(
                rows.messages.get(row).unwrap_or_default(),
                status.message.as_bytes()
            );
            assert_eq!(
                rows.trace_states.get(row).unwrap_or_default(),
                span.trace_state.as_bytes()
            );
            let kept = rows.resources.get(rows.resource[at]).unwrap();
            assert_eq!(kept, resource.encode_to_vec());
            // Events, links and counts stand as fields of a span.
            let details = Span::decode(rows.details.get(row).unwrap_or_default()).unwrap();
            assert_eq!(
                (&details.events, &details.links),
                (&span.events, &span.links)
            );
            assert_eq!(
                details.dropped_attributes_count,
                span.dropped_attributes_count
            );
            let mut said: Vec<_> = rows.attributes.of(row).collect();
            assert_eq!(said.len(), span.attributes.len());
            for pair in &span.attributes {
                let any = pair
                    .value
                    .as_ref()
                    .and_then(|value| value.value.as_ref())
                    .unwrap();
                let same = said
                    .iter()
                    .position(|(key, value)| *key == pair.key && is_same(*value, any));
                said.remove(same.expect("an attribute is lost"));
            }
        }
    }
}

#[test]
fn spans_that_break_a_rule_are_counted_and_leave_nothing_behind() {
    let mut request = fleet::requests(2, 20).remove(0);
    let whole = spans(&mut request).clone();
    assert!(whole.len() > 8);
    let breaks: [fn(&mut Span); 5] = [
        |span| span.trace_id.truncate(15),
        |span| span.span_id.clear(),
        |span| span.trace_id = vec![0; 16],
        |span| span.span_id = vec![0; 8],
        |span| span.parent_span_id = vec![1; 7],
    ];
    for (at, spoil) in breaks.iter().enumerate() {
        spoil(&mut spans(&mut request)[at]);
    }
    let (rows, rejected) = otlp::traces(&request.encode_to_vec()).unwrap();
    assert_eq!(rejected.spans, breaks.len() as u64);
    assert_eq!(
        rejected.why,
        Some("a trace id has 16 bytes and a span id 8")
    );
    spans(&mut request).drain(..breaks.len());
    let (expect, _) = otlp::traces(&request.encode_to_vec()).unwrap();
    let all = |rows: &Rows| -> Vec<String> {
        (0..u32::try_from(rows.len()).unwrap())
            .map(|row| fleet::said(rows, row))
            .collect()
    };
    assert_eq!(all(&rows), all(&expect));
}

#[test]
fn a_span_may_end_before_it_begins() {
    let mut request = fleet::requests(2, 1)
        .into_iter()
        .find(|request| {
            !request.clone().resource_spans[0].scope_spans[0]
                .spans
                .is_empty()
        })
        .unwrap();
    spans(&mut request)[0].end_time_unix_nano = 1;
    let (rows, rejected) = otlp::traces(&request.encode_to_vec()).unwrap();
    assert_eq!((rows.durations[0], rejected.spans), (0, 0));
}

#[test]
fn more_keys_than_there_are_columns_are_kept() {
    let mut request = fleet::requests(3, 4).remove(0);
    let count = Attributes::MAX_COLUMNS + 50;
    for span in spans(&mut request) {
        span.attributes = (0..count)
            .map(|at| fleet::pair(&format!("key-{at}"), Any::IntValue(at as i64)))
            .collect();
    }
    let (rows, _) = otlp::traces(&request.encode_to_vec()).unwrap();
    assert_eq!(rows.attributes.columns().len(), Attributes::MAX_COLUMNS);
    let mut copy = fleet::rows(4, 10);
    let first = u32::try_from(copy.len()).unwrap();
    copy.append(&rows, &[0]);
    for (rows, row) in [(&rows, 0), (&copy, first)] {
        let said: Vec<_> = rows.attributes.of(row).collect();
        assert_eq!(said.len(), count);
        for at in 0..count {
            let key = format!("key-{at}");
            assert!(said.contains(&(&*key, Value::Int(at as i64))), "{key}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = otlp::traces(&bytes);
    }

    #[test]
    fn a_request_that_is_cut_is_an_error_or_its_beginning(cut in 0_usize..4000) {
        let request = fleet::requests(5, 40).remove(0).encode_to_vec();
        let cut = cut.min(request.len());
        match otlp::traces(&request[..cut]) {
            Ok((rows, _)) => prop_assert!(cut == 0 || cut == request.len() || rows.is_empty()),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn rows_are_copied_whole_and_in_the_order_asked_for(seed in 0_u64..50, wanted in proptest::collection::vec(0_u32..200, 0..60)) {
        let rows = fleet::rows(seed, 60);
        let wanted: Vec<u32> = wanted.into_iter().filter(|row| (*row as usize) < rows.len()).collect();
        let mut copy = fleet::rows(seed + 1, 5);
        let first = u32::try_from(copy.len()).unwrap();
        copy.append(&rows, &wanted);
        prop_assert_eq!(copy.len(), first as usize + wanted.len());
        for (row, new) in wanted.iter().zip(first..) {
            prop_assert_eq!(fleet::said(&copy, new), fleet::said(&rows, *row));
        }
    }
}
