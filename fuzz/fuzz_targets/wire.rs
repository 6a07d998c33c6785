//! What a control node tells its clients: streams of events cut anywhere are the same events, an event that can be read
//! writes back the same, and so do comments, tags and bodies.
//!
//! The wire types' sources are compiled into the target: the whole client would take minutes more.
#![no_main]

#[allow(dead_code, unreachable_pub, unused_imports, reason = "the client uses more of it")]
#[rustfmt::skip]
#[path = "../../crates/guildhall-api/src/wire/mod.rs"]
mod wire;

use libfuzzer_sys::fuzz_target;
use wire::{
    ConfigEvent, Problem, WatchEvent, header, read_document,
    sse::{Decoder, Frame},
};

const LIMIT: usize = 2048;

fuzz_target!(|data: &[u8]| {
    let Some((cut, stream)) = data.split_first() else {
        return;
    };
    let whole = frames([stream].into_iter());
    assert_eq!(frames(stream.chunks(1)), whole, "byte by byte");
    assert_eq!(frames(stream.chunks(usize::from(*cut).max(1))), whole);
    if let Some(frames) = &whole {
        frames.iter().for_each(check_frame);
    }
    if let Some(comment) = header::decode_comment(stream) {
        let encoded = header::encode_comment(&comment);
        assert!(encoded.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        assert_eq!(header::decode_comment(encoded.as_bytes()), Some(comment));
    }
    let Ok(text) = std::str::from_utf8(stream) else {
        return;
    };
    if let Some(revision) = header::parse_etag(text) {
        assert_eq!(header::parse_etag(&header::etag(revision)), Some(revision));
    }
    let _ = header::is_request_id(text);
    if let Ok(document) = read_document(text) {
        let written = serde_json::to_string(&document).expect("a document can be written");
        let again = read_document(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
        assert_eq!(again, document);
    }
    if let Ok(event) = serde_json::from_str::<ConfigEvent>(text) {
        let written = serde_json::to_string(&event).expect("an event can be written");
        assert_eq!(
            serde_json::from_str::<ConfigEvent>(&written).unwrap(),
            event
        );
        if let Ok(bytes) = event.bytes() {
            assert_eq!(
                event.clone().with_content(&bytes).bytes().unwrap().len(),
                bytes.len()
            );
        }
    }
    if let Ok(problem) = serde_json::from_str::<Problem>(text) {
        let written = serde_json::to_string(&problem).expect("a problem can be written");
        assert!(serde_json::from_str::<Problem>(&written).is_ok());
    }
});

/// The events of a stream, if none is too long.
fn frames<'a>(mut chunks: impl Iterator<Item = &'a [u8]>) -> Option<Vec<Frame>> {
    let mut decoder = Decoder::new(LIMIT);
    let taken = chunks.try_for_each(|chunk| decoder.push(chunk));
    let frames: Vec<Frame> = std::iter::from_fn(|| decoder.next_frame()).collect();
    assert!(frames.iter().all(|frame| frame.data.len() <= 3 * LIMIT));
    taken.is_ok().then_some(frames)
}

fn check_frame(frame: &Frame) {
    // The decoder gives lines; what it gives is written as it was.
    let mut written = Vec::new();
    wire::sse::encode(
        &frame.event,
        frame.id.as_deref(),
        frame.data.as_bytes(),
        &mut written,
    );
    let again = frames([&written[..]].into_iter());
    if let Some(again) = again {
        assert_eq!(again, [frame.clone()]);
    }
    let Ok((index, event)) = WatchEvent::read(frame) else {
        return;
    };
    let mut written = Vec::new();
    event
        .write(index, &mut written)
        .expect("an event can be written");
    let Some(again) = frames([&written[..]].into_iter()) else {
        return;
    };
    let [again] = again.as_slice() else {
        panic!("one event became {again:?}");
    };
    assert_eq!(WatchEvent::read(again).unwrap(), (index, event));
}
