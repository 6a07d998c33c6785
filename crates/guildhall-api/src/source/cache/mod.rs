//! The copy of a source's documents on disk, so that its user starts without the control plane.
//!
//! One file: a line with the format's version, a CRC-32C and the length of the rest; then one line
//! of JSON that says what was watched and where it stood; then one document a line. It is written
//! beside and renamed, so that a reader sees the old copy or the new one, and is readable by its
//! owner only. A file that is damaged, of another format or of another namespace's watch counts as none; one of other kinds,
//! as the version before may have watched fewer, gives what is watched of it.

mod format;
mod writer;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use guildhall_core::document::{Document, Index};

pub(super) use writer::Writer;

use crate::client::WatchScope;

/// The most bytes of a copy that is read back.
const MAX_BYTES: u64 = 2 << 30;

/// A copy of documents in one file.
#[derive(Clone, Debug)]
pub struct DiskCache {
    path: PathBuf,
    scope: String,
}

/// What a copy holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cached {
    /// Where the documents stood when they were written.
    pub index: Index,
    /// The documents.
    pub documents: Vec<Document>,
    /// How many more there are that this build cannot read, because a newer one wrote them.
    pub skipped: u64,
}

/// A copy that is of no use.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The file cannot be read or written.
    #[error("{path:?}: {cause}; check the folder's owner and space")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is not what was written.
    #[error("{path:?} is damaged ({cause}); it is ignored and written anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that was noticed.
        cause: String,
    },
    /// The file was written by another version, or by a watch of something else.
    #[error(
        "{path:?} is another version's or another watch's ({cause}); it is ignored and written anew"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// In which way.
        cause: String,
    },
}

impl DiskCache {
    /// The copy of what a watch of `scope` tells, in the file `path`.
    pub fn new(path: impl Into<PathBuf>, scope: &WatchScope) -> Self {
        Self {
            path: path.into(),
            scope: format::scope(scope),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the copy; `None` if there is no file.
    pub fn load(&self) -> Result<Option<Cached>, CacheError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.io(error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|error| self.io(error))?;
        match format::read(&bytes, &self.scope) {
            Ok(cached) => Ok(Some(cached)),
            Err(format::Unusable::Damaged(cause)) => Err(CacheError::Damaged {
                path: self.path.clone(),
                cause,
            }),
            Err(format::Unusable::Foreign(cause)) => Err(CacheError::Foreign {
                path: self.path.clone(),
                cause,
            }),
        }
    }

    /// Writes the copy and answers its size in bytes.
    pub fn store<'a>(
        &self,
        index: Index,
        documents: impl IntoIterator<Item = &'a Document>,
    ) -> Result<usize, CacheError> {
        let bytes =
            format::write(&self.scope, index, documents).map_err(|error| self.io(error.into()))?;
        replace(&self.path, &bytes).map_err(|error| self.io(error))?;
        Ok(bytes.len())
    }

    fn io(&self, cause: io::Error) -> CacheError {
        CacheError::Io {
            path: self.path.clone(),
            cause,
        }
    }
}

/// Writes a file that only its owner reads beside `path` and puts it there, so that there is always a whole one.
///
/// # Errors
/// The system's.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder)?;
    }
    // Two processes may share a folder: each writes a file of its own before the rename.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let written = private(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&beside, path));
    if renamed.is_err() {
        // What cannot be written cannot be cleaned up for sure either.
        let _ = fs::remove_file(&beside);
    }
    renamed
}

/// A new file that only its owner reads.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
