//! The keys that seal, and secrets in memory.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::{Zeroize, Zeroizing};

use super::{SealError, token::Token};

/// 24 random bytes, new for each value: so many that none comes twice.
pub type Nonce = [u8; 24];

/// Bytes that must not be shown; overwritten when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes, for whoever may see them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Keys by id: the first seals, all of them open.
#[derive(Clone)]
pub struct KeyRing(Vec<(String, Zeroizing<[u8; 32]>)>);

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self.0.iter().map(|(id, _)| id);
        f.debug_tuple("KeyRing")
            .field(&ids.collect::<Vec<_>>())
            .finish()
    }
}

/// Text that is no key file. Never tells a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// A line that is no key.
    #[error(
        "line {0}: write `id: key`: an id of letters, digits, '-', '_' and '.', and 32 random bytes in base64 \
         (openssl rand -base64 32)"
    )]
    Line(usize),
    /// An id that was given before.
    #[error("line {0}: this id was given already; each key has one of its own")]
    Twice(usize),
    /// No key at all.
    #[error("there is no key; write `id: key` (openssl rand -base64 32)")]
    Empty,
}

impl KeyRing {
    /// Reads a key file: a line `id: key` each, the current key first; `#` begins a comment.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let mut keys: Vec<(String, Zeroizing<[u8; 32]>)> = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = n + 1;
            let (id, key) = line.split_once(':').ok_or(KeyFileError::Line(number))?;
            let id = id.trim();
            let bytes = BASE64_STANDARD.decode(key.trim()).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| KeyFileError::Line(number))?;
            let mut key = Zeroizing::new([0; 32]);
            if !is_id(id) || bytes.len() != key.len() {
                return Err(KeyFileError::Line(number));
            }
            key.copy_from_slice(&bytes);
            if keys.iter().any(|(known, _)| known == id) {
                return Err(KeyFileError::Twice(number));
            }
            keys.push((id.to_owned(), key));
        }
        if keys.is_empty() {
            return Err(KeyFileError::Empty);
        }
        Ok(Self(keys))
    }

    /// The id of the key that seals.
    pub fn current(&self) -> &str {
        self.0.first().map_or("", |(id, _)| id)
    }

    /// Seals `plain` with the current key, for whoever opens it with the same `context`: `v1:KEY:BASE64`.
    pub fn seal(&self, plain: &[u8], context: &[u8], nonce: Nonce) -> Result<String, SealError> {
        let refused = || SealError::Refused {
            pointer: String::new(),
            position: None,
        };
        let (id, key) = self.0.first().ok_or_else(refused)?;
        let payload = Payload {
            msg: plain,
            aad: context,
        };
        let sealed = cipher(key).encrypt(&XNonce::from(nonce), payload);
        Ok(Token {
            key: id,
            nonce,
            sealed: sealed.map_err(|_| refused())?,
        }
        .to_string())
    }

    /// Opens what [`KeyRing::seal`] gave, with the same `context`.
    pub fn open(&self, token: &str, context: &[u8]) -> Result<Secret, SealError> {
        let pointer = String::new();
        let Some(token) = Token::parse(token) else {
            return Err(SealError::Malformed {
                pointer,
                position: None,
            });
        };
        let Some((_, key)) = self.0.iter().find(|(id, _)| id == token.key) else {
            return Err(SealError::UnknownKey {
                pointer,
                position: None,
                key: token.key.to_owned(),
            });
        };
        let payload = Payload {
            msg: &token.sealed,
            aad: context,
        };
        let plain = cipher(key).decrypt(&XNonce::from(token.nonce), payload);
        let plain = plain.map_err(|_| SealError::Refused {
            pointer,
            position: None,
        })?;
        Ok(Secret(Zeroizing::new(plain)))
    }
}

/// Whether this may be a key's id: it stands between colons.
pub(super) fn is_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=64).contains(&id.len()) && id.bytes().all(allowed)
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    let mut key = Key::from(*key);
    let cipher = XChaCha20Poly1305::new(&key);
    key.as_mut_slice().zeroize();
    cipher
}
