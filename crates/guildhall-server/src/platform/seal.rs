//! The keys that values of configuration are sealed with: from a file that is watched, or from the settings.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use guildhall_control::config::SealKeys;
use guildhall_core::config::seal::{KeyFileError, KeyRing};

use crate::{reload::Stamp, settings::Settings};

/// Keys that cannot be used. Nothing of a key is repeated.
#[derive(Debug, thiserror::Error)]
pub enum SealKeyError {
    /// The file cannot be read.
    #[error(
        "cannot read the keys in {path}: {cause}; check config.seal_key_file and the file's permissions"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// They are not written as keys are.
    #[error("the keys in {place} cannot be used: {cause}")]
    Malformed {
        /// The file, or the setting.
        place: String,
        /// What is wrong with them.
        cause: KeyFileError,
    },
}

/// A key file, and what it looked like when it was last read.
#[derive(Debug)]
pub(super) struct SealKeyFile {
    path: PathBuf,
    seen: Option<Stamp>,
}

impl SealKeyFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, if the file changed since it was last read.
    pub(super) fn read_if_changed(&mut self) -> Option<Result<KeyRing, SealKeyError>> {
        let stamp = Stamp::of(&[&self.path]);
        if self.seen == Some(stamp) {
            return None;
        }
        self.seen = Some(stamp);
        Some(self.read())
    }

    fn read(&self) -> Result<KeyRing, SealKeyError> {
        let path = &self.path;
        let unreadable = |cause| SealKeyError::Unreadable {
            path: path.clone(),
            cause,
        };
        let text = std::fs::read_to_string(path)
            .map(zeroize::Zeroizing::new)
            .map_err(unreadable)?;
        let mode = std::fs::metadata(path)
            .map_err(unreadable)?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            tracing::warn!(file = %path.display(), "others on this machine may read the keys of sealed values; chmod 600 the file");
        }
        parse(&text, || path.display().to_string())
    }
}

fn parse(text: &str, place: impl FnOnce() -> String) -> Result<KeyRing, SealKeyError> {
    KeyRing::parse(text).map_err(|cause| SealKeyError::Malformed {
        place: place(),
        cause,
    })
}

/// The keys that `settings` give, and the file they are in, if it is one.
pub(super) fn keys(settings: &Settings) -> Result<(SealKeys, Option<SealKeyFile>), SealKeyError> {
    let keys = SealKeys::default();
    if let Some(given) = &settings.config.seal_keys {
        let lines = zeroize::Zeroizing::new(given.reveal().replace(',', "\n"));
        keys.replace(parse(&lines, || "config.seal_keys".to_owned())?);
    }
    let Some(path) = settings.config.seal_key_file.clone() else {
        return Ok((keys, None));
    };
    let mut file = SealKeyFile { path, seen: None };
    if let Some(read) = file.read_if_changed() {
        keys.replace(read?);
    }
    Ok((keys, Some(file)))
}
