//! Sealed values: what is sealed opens to what it was, masked text shows nothing of it, and masked text that comes back
//! keeps every seal.
//!
//! The first part's bits say which values are sealed, the second is a content; a third is read as a key file.
#![no_main]

use guildhall_core::config::{
    Node, Parsed, Value, parse,
    seal::{Admission, Binding, KeyRing, MASK, find, mask, may_have, open, open_text},
};
use guildhall_fuzz::{content, parts};
use libfuzzer_sys::fuzz_target;

const KEYS: &str = "new: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\
                    old: Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=\n";

const BINDING: Binding<'static> = Binding {
    namespace: "default",
    service: "users",
    environment: "prod",
    file: "app",
};

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let [bits, text, more @ ..] = parts.as_slice() else {
        return;
    };
    if let Some(text) = more.first().and_then(|part| std::str::from_utf8(part).ok()) {
        // Whether it is one or not: no key is told.
        if let Ok(keys) = KeyRing::parse(text) {
            assert!(!keys.current().is_empty());
            assert!(!format!("{keys:?}").contains('='));
        }
    }
    let Some(parsed) = content(text) else { return };
    let Some(root) = parsed.root() else { return };
    let keys = KeyRing::parse(KEYS).expect("the keys are keys");
    check_masked(&parsed);
    let pointers = pointers(root, bits);
    let mut nonce = [0; 24];
    let mut nonces = || {
        nonce[0] += 1;
        nonce
    };
    let admission = Admission {
        content: &parsed,
        present: &[],
        pointers: &pointers,
        keys: &keys,
        binding: BINDING,
    };
    let Ok(admitted) = admission.admit(&mut nonces) else {
        return;
    };
    let sealed = again(&parsed, &admitted.text);
    if find(&parsed).is_ok_and(|sealed| sealed.is_empty()) {
        assert_eq!(&admitted.opened, root, "{}", admitted.text);
    }
    assert_eq!(
        open(&sealed, &keys, &BINDING).as_ref(),
        Ok(&admitted.opened)
    );
    if let Ok(text) = open_text(&sealed, &keys, &BINDING) {
        assert_eq!(again(&parsed, &text).root(), Some(&admitted.opened));
    }
    assert_eq!(
        find(&sealed).map(|found| found.is_empty()),
        Ok(!may_have(admitted.text.as_bytes()) || find(&sealed).is_ok_and(|f| f.is_empty()))
    );
    let masked = mask(&sealed).expect("what was sealed can be masked");
    for pointer in &pointers {
        if let Some(secret) = secret(root.get(pointer), &parsed) {
            assert!(!admitted.text.contains(secret), "sealed: {}", admitted.text);
            assert!(!masked.contains(secret), "masked: {masked}");
        }
    }
    // What a reader without the right to see them sends back.
    let masked = again(&parsed, &masked);
    let back = Admission {
        content: &masked,
        present: std::slice::from_ref(&sealed),
        ..admission
    };
    if root_has_mask(root) {
        return;
    }
    let back = back.admit(&mut nonces).expect("masked text is taken back");
    assert_eq!(back.opened, admitted.opened);
    let tokens = |text: &str| -> Vec<(String, String)> {
        let found = find(&again(&parsed, text)).expect("seals are whole");
        let shown = |value: guildhall_core::config::seal::SealedValue| {
            let span = value.span.range();
            (value.pointer, text[span].to_owned())
        };
        found.into_iter().map(shown).collect()
    };
    let (before, after) = (tokens(&admitted.text), tokens(&back.text));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.0, after.0);
    }
});

/// The text as content of the same format.
fn again(parsed: &Parsed, text: &str) -> Parsed {
    parse(parsed.format(), text.as_bytes())
        .unwrap_or_else(|error| panic!("does not read back: {error}\n{text}"))
}

/// Masking alone leaves no seal, in whatever content.
fn check_masked(parsed: &Parsed) {
    if let Ok(text) = mask(parsed) {
        let masked = again(parsed, &text);
        assert_eq!(find(&masked), Ok(Vec::new()), "{text}");
    }
}

/// The values whose bits are set.
fn pointers(root: &Node, bits: &[u8]) -> Vec<String> {
    let mut pointers = Vec::new();
    let mut at = 0;
    root.walk(&mut |pointer, _| {
        let bit = bits.get(at / 8).is_some_and(|b| b >> (at % 8) & 1 == 1);
        at += 1;
        if bit {
            pointers.push(pointer.to_owned());
        }
        at < 64
    });
    pointers
}

/// A text that stands in the content once and nowhere else, and says more than nothing.
fn secret<'a>(node: Option<&'a Node>, parsed: &Parsed) -> Option<&'a str> {
    let Some(Value::String(text)) = node.map(|node| &node.value) else {
        return None;
    };
    let plain = text.len() >= 8 && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let once = parsed.text()?.matches(text.as_str()).count() == 1;
    // Another text may be the same in other letters: an escape, a folded line.
    let mut same = 0;
    parsed.root()?.walk(&mut |_, node| {
        same += usize::from(matches!(&node.value, Value::String(t) if t.contains(text.as_str())));
        if let Value::Object(members) = &node.value {
            same += members
                .iter()
                .filter(|m| m.key.contains(text.as_str()))
                .count();
        }
        true
    });
    (plain && once && same == 1).then_some(text.as_str())
}

fn root_has_mask(root: &Node) -> bool {
    let mut found = false;
    root.walk(&mut |_, node| {
        found |= matches!(&node.value, Value::String(text) if text == MASK);
        !found
    });
    found
}
