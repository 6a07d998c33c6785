//! The small words of paths, queries and documents: names, hashes, durations, indexes, selectors, filters. What is taken
//! writes back as something that is taken for the same.
#![no_main]

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use guildhall_core::{
    config::{ConfigName, ContentHash, Format, format::escape, format::steps},
    document::{
        DocumentKey, Index, InstanceId, Kind, Name, Namespace, Period, Selector, ServiceName,
        VersionName,
    },
    history::VersionRef,
    registry::discovery::Query,
};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;

fuzz_target!(|data: &[u8]| {
    if let Some((part, key)) = DocumentKey::from_store_key(data) {
        assert_eq!(key.store_key(part).as_bytes(), data);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    read_back::<Name>(text, true);
    read_back::<Namespace>(text, true);
    read_back::<ServiceName>(text, true);
    read_back::<VersionName>(text, true);
    read_back::<InstanceId>(text, true);
    read_back::<ContentHash>(text, true);
    read_back::<Index>(text, false);
    read_back::<Period>(text, false);
    read_back::<Format>(text, true);
    let _ = Kind::parse(text);
    if let Ok(VersionRef::Number(number)) = text.parse() {
        assert_eq!(VersionRef::of(&number.to_string()), number.into());
    }
    if let Ok(name) = ConfigName::parse(text) {
        assert_eq!(name.to_string(), text);
        assert!(name.inputs().contains(&name));
    }
    let pointer = format!("/{}", escape(text));
    assert_eq!(steps(&pointer), Some(vec![text.to_owned()]));
    if let Ok(selector) = text.parse::<Selector>() {
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let all = selector.matches(&labels) && selector.matches(&BTreeMap::new());
        assert!(all || !selector.is_empty());
    }
    if let Some(query) = query(text) {
        let written = query.to_string();
        let again = self::query(&written);
        let again = again.unwrap_or_else(|| panic!("{written} does not read back"));
        assert_eq!((&again, again.to_string()), (&query, written));
    }
});

/// Reads a word twice; `exactly` if it has one form only.
fn read_back<T: FromStr + Display + PartialEq>(text: &str, exactly: bool) {
    if let Ok(word) = text.parse::<T>() {
        let written = word.to_string();
        assert!(!exactly || written == text, "{text:?} became {written:?}");
        let again = written.parse::<T>();
        assert!(
            again.is_ok_and(|again| again == word),
            "{text:?}, {written:?}"
        );
    }
}

/// A discovery's query, decoded as the server does.
fn query(text: &str) -> Option<Query> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let text = percent_decode_str(&text).decode_utf8().ok()?;
        Some(text.into_owned())
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(key)?, decode(value)?))
    });
    let pairs: Vec<(String, String)> = pairs.collect::<Option<_>>()?;
    Query::parse(pairs, &[]).ok()
}
