//! The last good configuration on disk, for a start without the platform.
//!
//! What holds secrets is encrypted: ChaCha20-Poly1305 with a key made of the service's token (HKDF-SHA-256), so that the disk
//! tells nothing that the token would not.

use std::path::{Path, PathBuf};

use guildhall_api::{
    source::replace,
    wire::{ConfigEvent, path::encode},
};
use guildhall_core::{config::Sight, document::DocumentKey};
use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand::{SecureRandom, SystemRandom},
};

use super::follow::Given;

/// What an encrypted copy begins with; a nonce and the ciphertext follow. One that is not begins with a brace.
const MARK: &[u8] = b"guildhall sealed copy 1\n";

/// Where the copy of a configuration is, and what encrypts it.
pub(super) struct Copy {
    path: PathBuf,
    /// `None`: there is no token to make one of.
    key: Option<LessSafeKey>,
}

impl Copy {
    pub(super) fn new(folder: &Path, of: &DocumentKey, token: Option<&str>) -> Self {
        Self {
            path: folder.join(format!("{}.{}.config", of.namespace, encode(&of.name))),
            key: token.and_then(key_of),
        }
    }

    /// The copy, if there is one; one that cannot be read is said and passed over.
    pub(super) fn read(&self) -> Option<Given> {
        let path = self.path.display();
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(%path, %error, "the copy of the configuration cannot be read");
                return None;
            }
        };
        let plain = match bytes.strip_prefix(MARK) {
            None => Some(bytes),
            Some(sealed) => self.open(sealed),
        };
        let Some(plain) = plain else {
            tracing::warn!(%path, "the copy of the configuration was encrypted under another token, or is damaged; it is passed over");
            return None;
        };
        match serde_json::from_slice::<ConfigEvent>(&plain) {
            Ok(event) => Given::of(event),
            Err(error) => {
                tracing::warn!(%path, %error, "the copy of the configuration is damaged; it is passed over");
                None
            }
        }
    }

    /// Writes the copy. What holds secrets goes to no disk in the clear: without a key there is none.
    pub(super) fn write(&self, given: &Given) {
        let bytes = match (serde_json::to_vec(&given.event()), given.sealed) {
            (Err(error), _) => return self.unwritten(&error.into()),
            (Ok(plain), None | Some(Sight::Masked)) => plain,
            (Ok(plain), Some(Sight::Revealed)) => match self.seal(plain) {
                Some(sealed) => sealed,
                None => {
                    tracing::debug!(path = %self.path.display(), "the configuration holds secrets, and there is no token to encrypt it with: no copy is kept");
                    // An earlier copy would be taken for the last one.
                    return match std::fs::remove_file(&self.path) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            self.unwritten(&error);
                        }
                        _ => {}
                    };
                }
            },
        };
        if let Err(error) = replace(&self.path, &bytes) {
            self.unwritten(&error);
        }
    }

    fn unwritten(&self, error: &std::io::Error) {
        let path = self.path.display();
        tracing::warn!(%path, %error, "the copy of the configuration cannot be written");
    }

    fn seal(&self, mut plain: Vec<u8>) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let unique = Nonce::assume_unique_for_key(nonce);
        self.key
            .as_ref()?
            .seal_in_place_append_tag(unique, Aad::from(MARK), &mut plain)
            .ok()?;
        Some([MARK, &nonce, &plain].concat())
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk()?;
        let mut bytes = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let key = self.key.as_ref()?;
        let plain = key.open_in_place(nonce, Aad::from(MARK), &mut bytes);
        let len = plain.ok()?.len();
        bytes.truncate(len);
        Some(bytes)
    }
}

fn key_of(token: &str) -> Option<LessSafeKey> {
    let made =
        Salt::new(HKDF_SHA256, b"guildhall copy of a configuration").extract(token.as_bytes());
    let key = made.expand(&[b"v1"], &CHACHA20_POLY1305).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(key)))
}
