//! Short texts that many documents repeat: names of services, zones, tags.

use std::{borrow::Borrow, cell::RefCell, fmt, ops::Deref, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An immutable text of which equal ones mostly share their memory; cloning is cheap.
///
/// A fleet of 100,000 instances names the same few hundred services, versions, zones and tags
/// over and over: shared, they cost a pointer each (a fifth of an instance's memory is saved).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharedText(Arc<str>);

/// Longer texts are rarely repeated.
const LONGEST: usize = 64;
/// A power of two; 16 KiB for each thread that decodes documents.
const SLOTS: usize = 1024;

thread_local! {
    /// The texts last seen, each in the slot that its hash names. A slot is simply overwritten:
    /// it is bounded, and what is frequent comes back.
    static RECENT: RefCell<Vec<Option<Arc<str>>>> = const { RefCell::new(Vec::new()) };
}

/// `text` behind an `Arc`, which is shared with a recent equal one where there is one.
pub(super) fn share(text: &str) -> Arc<str> {
    if text.len() > LONGEST {
        return text.into();
    }
    // FNV-1a: the texts are short, and a collision costs only sharing.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let slot = (hash >> 32) as usize % SLOTS;
    let recent = RECENT.try_with(|recent| {
        let mut recent = recent.borrow_mut();
        if recent.is_empty() {
            recent.resize(SLOTS, None);
        }
        match &recent[slot] {
            Some(known) if **known == *text => known.clone(),
            _ => {
                let new: Arc<str> = text.into();
                recent[slot] = Some(new.clone());
                new
            }
        }
    });
    // Only a thread that is ending has no slots.
    recent.unwrap_or_else(|_| text.into())
}

impl SharedText {
    /// As plain text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SharedText {
    fn from(text: &str) -> Self {
        Self(share(text))
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Self(share(&text))
    }
}

impl From<SharedText> for String {
    fn from(text: SharedText) -> Self {
        text.as_str().to_owned()
    }
}

impl Deref for SharedText {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for SharedText {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for SharedText {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for SharedText {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for SharedText {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl PartialEq<String> for SharedText {
    fn eq(&self, other: &String) -> bool {
        *self.0 == **other
    }
}

impl fmt::Display for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for SharedText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SharedText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self(share(&text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_their_memory() {
        let (a, b) = (
            SharedText::from("eu-west-1a"),
            SharedText::from("eu-west-1a".to_owned()),
        );
        assert_eq!(a, b);
        assert!(Arc::ptr_eq(&a.0, &b.0));
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(SharedText::from(&*long), SharedText::from(&*long));
    }

    #[test]
    fn texts_that_fall_into_one_slot_stay_themselves() {
        let texts: Vec<String> = (0..10 * SLOTS).map(|n| n.to_string()).collect();
        for text in texts.iter().chain(&texts) {
            assert_eq!(SharedText::from(text.as_str()), text.as_str());
        }
    }
}
