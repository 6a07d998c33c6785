//! The parsers' corpora, and what is done to them: no content makes a parser panic, or takes it long.
//!
//! The files in corpus/ are where mutation starts; a file that once broke a parser is added there and stays.

use guildhall_core::config::{Format, parse};
use proptest::prelude::*;

/// Every file of the corpus, with its name.
pub(super) const FILES: [(&str, &[u8]); 8] = [
    ("app.json", include_bytes!("corpus/app.json")),
    ("app.yaml", include_bytes!("corpus/app.yaml")),
    ("odd.yaml", include_bytes!("corpus/odd.yaml")),
    ("app.toml", include_bytes!("corpus/app.toml")),
    ("odd.toml", include_bytes!("corpus/odd.toml")),
    ("app.properties", include_bytes!("corpus/app.properties")),
    ("odd.properties", include_bytes!("corpus/odd.properties")),
    ("odd.json", include_bytes!("corpus/odd.json")),
];

/// Reads content as every format and looks at all that came of it.
pub(super) fn read(bytes: &[u8]) {
    for format in Format::ALL {
        match parse(format, bytes) {
            Ok(parsed) => {
                let Some(root) = parsed.root() else { continue };
                root.walk(&mut |pointer, node| {
                    assert!(node.span.end as usize <= bytes.len(), "{format} {pointer}");
                    assert_eq!(root.get(pointer), Some(node), "{format} {pointer}");
                    assert!(parsed.position(pointer).is_some(), "{format} {pointer}");
                    true
                });
            }
            Err(error) => {
                let lines = bytes.iter().filter(|byte| **byte == b'\n').count() + 1;
                let line = error.position.map_or(1, |position| position.line as usize);
                assert!((1..=lines).contains(&line), "{format}: {error}");
                assert!(!error.detail.is_empty(), "{format}");
            }
        }
    }
}

/// A corpus file of which pieces were cut, doubled and replaced.
pub(super) fn mutants() -> impl Strategy<Value = Vec<u8>> {
    let file = prop::sample::select(FILES.to_vec());
    let edit = (0.0..1.0, 0_usize..24, ".{0,6}", 0..4_u8);
    (file, prop::collection::vec(edit, 1..6)).prop_map(|((_, bytes), edits)| {
        let mut bytes = bytes.to_vec();
        for (place, length, text, what) in edits {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a place within a small file"
            )]
            let start = (place * bytes.len() as f64) as usize;
            let end = (start + length).min(bytes.len());
            match what {
                0 => drop(bytes.drain(start..end)),
                1 => {
                    let piece = bytes[start..end].to_vec();
                    bytes.splice(end..end, piece);
                }
                2 => drop(bytes.splice(start..end, text.bytes())),
                _ => bytes.truncate(end),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_mutant_of_the_corpus_is_read_or_refused(bytes in mutants()) {
        read(&bytes);
    }

    #[test]
    fn any_text_is_read_or_refused(text in r#"[-\[\]{}&*!|>:,=.#'"\\ \n\tab0<~%?x]{0,48}"#) {
        read(text.as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        read(&bytes);
    }
}

#[test]
fn the_corpus_is_read_as_what_it_is() {
    for (name, bytes) in FILES {
        let format = Format::of_file_name(name).unwrap();
        let parsed = parse(format, bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(parsed.root().is_some(), "{name}");
        read(bytes);
    }
}
