//! The real directory: positioned IO, fdatasync, directory fsync, and a lock against a second process.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{File, Files};

/// The lock file's name; its content is of no consequence.
const LOCK: &str = "lock";

/// A directory on a real disk, held exclusively by this process for as long as the value (or a clone of its `Arc`) lives.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    /// An open handle on the directory itself: what `sync_dir` syncs.
    directory: fs::File,
    /// Held, not read.
    lock: fs::File,
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Closing alone would not do: a child process that was forked a moment ago holds a copy of the descriptor, and
        // with it the lock, until it executes its program. On an error there is nothing left to be done but to close.
        drop(self.lock.unlock());
    }
}

/// Why a directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process (or another part of this one) has it open.
    #[error("{0} is in use by another process; stop it or choose another data directory")]
    Locked(PathBuf),
    /// The operating system said no.
    #[error("opening the data directory {path} failed; check that it can be created and written")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Disk {
    /// Takes a directory, creating it (mode 0700, files 0600) if it is missing.
    ///
    /// # Errors
    /// [`DiskError::Locked`] when it is in use; [`DiskError::Io`] otherwise.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DiskError> {
        let path = path.as_ref();
        let failed = |source| DiskError::Io {
            path: path.to_owned(),
            source,
        };
        make_durable_directory(path).map_err(failed)?;
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK))
            .map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => DiskError::Locked(path.to_owned()),
            fs::TryLockError::Error(source) => failed(source),
        })?;
        let directory = fs::File::open(path).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            directory,
            lock,
        })
    }
}

/// Creates the directory and its missing parents, and syncs the parent of each one made: a data directory whose own name
/// is lost by a power loss takes every synced file with it.
fn make_durable_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    make_durable_directory(parent)?;
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => fs::File::open(parent)?.sync_all(),
    }
}

impl Files for Disk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let file = fs::OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(self.path.join(name))?;
        Ok(Arc::new(DiskFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(DiskFile(
            fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(self.path.join(name))?,
        )))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
                && name != LOCK
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.directory.sync_all()
    }

    fn space_left(&self) -> io::Result<u64> {
        let space = rustix::fs::fstatvfs(&self.directory)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() {
            self.path.clone()
        } else {
            self.path.join(name)
        }
    }
}

/// A file on a real disk.
struct DiskFile(fs::File);

impl File for DiskFile {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        while read < buffer.len() {
            match self.0.read_at(&mut buffer[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
