//! The last good configuration on disk, for a start without the platform.

use std::path::{Path, PathBuf};

use guildhall_api::{
    source::replace,
    wire::{ConfigEvent, path::encode},
};
use guildhall_core::document::DocumentKey;

/// Where the copy of a configuration is.
pub(super) fn place(folder: &Path, key: &DocumentKey) -> PathBuf {
    folder.join(format!("{}.{}.config", key.namespace, encode(&key.name)))
}

/// The copy, if there is one; a damaged one is said and passed over.
pub(super) fn read(path: &Path) -> Option<ConfigEvent> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the copy of the configuration cannot be read");
            return None;
        }
    };
    match serde_json::from_slice(&bytes) {
        Ok(copy) => Some(copy),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the copy of the configuration is damaged; it is passed over");
            None
        }
    }
}

/// Writes the copy.
pub(super) fn write(path: &Path, config: &ConfigEvent) {
    let written = serde_json::to_vec(config)
        .map_err(std::io::Error::other)
        .and_then(|bytes| replace(path, &bytes));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "the copy of the configuration cannot be written");
    }
}
