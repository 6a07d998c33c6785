//! Sealed values: single values of a content encrypted where they stand, so that what is stored can be read by whoever may
//! not know them.
//!
//! A sealed value is `{"$sealed": "v1:KEY:BASE64"}` in JSON and YAML and `"sealed:v1:KEY:BASE64"` in TOML and properties; both
//! are understood everywhere. BASE64 is nonce and ciphertext of XChaCha20-Poly1305 over the value's JSON, so that a number
//! opens as a number. What it was sealed for (namespace, service, environment, file and the value's pointer) is
//! authenticated with it: a sealed value copied elsewhere does not open. Text and binary content has no values to seal.
//!
//! Sealing changes the text only where the value stands; comments and order stay. Nonces are arguments: 24 random bytes,
//! new for each value.

mod admit;
mod content;
mod error;
mod inline;
mod keys;
mod token;

pub use super::sight::Sight;
pub use admit::{Admission, Admitted};
pub use content::{
    Binding, MASK, SealedValue, find, mask, mask_against, may_have, open, open_text, reseal, seal,
};
pub use error::SealError;
pub use keys::{KeyFileError, KeyRing, Nonce, Secret};
