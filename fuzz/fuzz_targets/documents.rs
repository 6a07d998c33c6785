//! Documents of every kind, as a client writes them: what is taken can be stored, served and written again, and is the same
//! each time.
#![no_main]

use guildhall_core::document::{Body, Document, DocumentKey, KeyPart, Kind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for kind in Kind::ALL.iter().copied() {
        // As the store and a server have it: lenient, and never a panic.
        let _ = Document::from_api(kind, text);
        let _ = Document::from_stored(kind, 1, data);
    }
    let body = match Body::parse(text) {
        Ok(body) => body,
        Err(problems) => {
            assert!(problems.0.iter().all(|problem| !problem.detail.is_empty()));
            return;
        }
    };
    let kinds: Vec<Kind> = match body.kind {
        Some(kind) => vec![kind],
        None => Kind::ALL.to_vec(),
    };
    for kind in kinds {
        let body = Body::parse(text).expect("it was read a moment ago");
        if let Ok(document) = body.into_document(kind, None, None) {
            check(&document);
        }
    }
});

fn check(document: &Document) {
    let kind = document.kind();
    assert!(document.validate().is_ok(), "{document:?}");

    let stored = document.to_stored().expect("a document can be stored");
    let read = Document::from_stored(kind, 7, &stored)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&stored)));
    assert!(read.same_intent(document), "{read:?}\n{document:?}");
    assert_eq!(read.metadata().revision, 7);
    assert!(read.validate().is_ok());
    assert_eq!(read.to_stored().unwrap(), stored);

    let served = serde_json::to_string(document).expect("a document can be served");
    let read = Document::from_api(kind, &served).unwrap_or_else(|e| panic!("{e}: {served}"));
    assert_eq!(&read, document);

    let portable = serde_json::to_string(&document.portable()).unwrap();
    let body = Body::parse(&portable).unwrap_or_else(|e| panic!("{e:?}: {portable}"));
    let applied = body.into_document(kind, None, None);
    let applied = applied.unwrap_or_else(|e| panic!("{e:?}: {portable}"));
    assert!(applied.same_intent(document), "{applied:?}\n{document:?}");

    let key = document.key();
    for part in [KeyPart::Spec, KeyPart::Status] {
        let stored = key.store_key(part);
        let read = DocumentKey::from_store_key(stored.as_bytes());
        assert_eq!(read, Some((part, key.clone())), "{stored}");
    }
    let body = Body::parse(&portable).unwrap();
    let named = body.into_document(kind, Some(&key.namespace), Some(&key.name));
    assert!(named.is_ok_and(|named| named.key() == key));
}
