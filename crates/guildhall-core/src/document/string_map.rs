//! A small map from text to text that costs what it holds.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};

use super::SharedText;

/// Text by text, in the keys' order, in one exactly sized allocation, the texts shared.
///
/// A `BTreeMap` sets aside 544 bytes for its first entry; a fleet's instances each have a
/// handful of entries and are held by the hundred thousand. Lookups are binary searches; a
/// change copies the map, so it is built once and then read.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StringMap(Box<[(SharedText, SharedText)]>);

impl StringMap {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// Whether `key` has a value.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Gives `key` a value, in place of the one it had; copies the map.
    pub fn insert(&mut self, key: impl Into<SharedText>, value: impl Into<SharedText>) {
        let mut entries = std::mem::take(&mut self.0).into_vec();
        let (key, value) = (key.into(), value.into());
        match entries.binary_search_by(|(k, _)| k.cmp(&key)) {
            Ok(at) => entries[at].1 = value,
            Err(at) => entries.insert(at, (key, value)),
        }
        self.0 = entries.into_boxed_slice();
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<SharedText>, V: Into<SharedText>> FromIterator<(K, V)> for StringMap {
    /// The last value given for a key is kept.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter().map(|(k, v)| (k.into(), v.into()));
        let mut entries: Vec<(SharedText, SharedText)> = entries.collect();
        // The sort is stable: equal keys stay in the order given.
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
        Self(entries.into_boxed_slice())
    }
}

impl<K: Into<SharedText>, V: Into<SharedText>, const N: usize> From<[(K, V); N]> for StringMap {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K: Into<SharedText>, V: Into<SharedText>> From<BTreeMap<K, V>> for StringMap {
    fn from(entries: BTreeMap<K, V>) -> Self {
        entries.into_iter().collect()
    }
}

impl fmt::Debug for StringMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for StringMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for StringMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = StringMap;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose values are strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StringMap, A::Error> {
                let mut entries = Vec::<(SharedText, SharedText)>::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(entries.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_key_is_kept_and_keys_are_in_order() {
        let mut map = StringMap::from([("b", "1"), ("a", "2"), ("b", "3")]);
        assert_eq!(map.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "3")]);
        map.insert("b", "4");
        map.insert("0", "5");
        assert_eq!(
            map.iter().collect::<Vec<_>>(),
            [("0", "5"), ("a", "2"), ("b", "4")]
        );
        assert_eq!((map.get("a"), map.get("c")), (Some("2"), None));
    }

    #[test]
    fn json_reads_back() {
        let map: StringMap = serde_json::from_str(r#"{"b":"1","a":"","b":"2"}"#).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"a":"","b":"2"}"#);
        assert!(serde_json::from_str::<StringMap>(r#"{"a":1}"#).is_err());
    }
}
