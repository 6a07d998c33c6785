//! A data directory has one node at a time, whatever its roles: two would overwrite each other's files.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use super::StartError;

/// The file that is locked; it stays when the node has ended.
const FILE: &str = "node.lock";

/// Holds a data directory. The system lets it go when the process ends, however that happens.
#[derive(Debug)]
pub(super) struct Claim(#[expect(dead_code, reason = "held, not read")] File);

impl Claim {
    /// Takes `directory`, which is made if it does not exist.
    pub(super) fn take(directory: &Path) -> Result<Self, StartError> {
        let unusable = |path: &Path, cause: io::Error| StartError::Directory {
            path: path.to_owned(),
            cause,
        };
        std::fs::create_dir_all(directory).map_err(|cause| unusable(directory, cause))?;
        let path = directory.join(FILE);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|cause| unusable(&path, cause))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(StartError::Taken {
                path: directory.to_owned(),
            }),
            Err(TryLockError::Error(cause)) => Err(unusable(&path, cause)),
        }
    }
}
