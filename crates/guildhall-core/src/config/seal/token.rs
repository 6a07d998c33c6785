//! The sealed form of a value: `v1:KEY:BASE64`.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};

use super::keys::{Nonce, is_id};

/// A sealed value in its parts.
pub(super) struct Token<'a> {
    pub(super) key: &'a str,
    pub(super) nonce: Nonce,
    /// The ciphertext and its tag.
    pub(super) sealed: Vec<u8>,
}

/// The tag at the end of each ciphertext, in bytes.
const TAG: usize = 16;

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (key, bytes) = text.strip_prefix("v1:")?.split_once(':')?;
        let bytes = BASE64_STANDARD.decode(bytes).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk()?;
        (is_id(key) && sealed.len() >= TAG).then(|| Self {
            key,
            nonce: *nonce,
            sealed: sealed.to_vec(),
        })
    }
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.nonce.as_slice(), &self.sealed].concat();
        write!(f, "v1:{}:{}", self.key, BASE64_STANDARD.encode(bytes))
    }
}
