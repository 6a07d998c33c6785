//! Ids of what the shop keeps: a word and 64 random bits, so that instances need not agree on the next one.

/// A new id: `user_5c0f3a9e12d4b877` for the word `user`.
pub(crate) fn new(word: &str) -> String {
    format!("{word}_{:016x}", fastrand::u64(..))
}

/// Whether a text may be an id at all. What is not can be refused without asking anyone, and need not be encoded in a
/// path.
pub(crate) fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ids_and_paths_are_not() {
        let id = new("user");
        assert!(is_id(&id) && id.len() == "user_".len() + 16);
        assert_ne!(id, new("user"));
        for text in ["", "a/b", "..", "a b", "ü", &"x".repeat(65)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
