//! The file seam: everything the log, its checkpoints and its owner's blobs do to a disk goes through these two traits.
//!
//! [`Disk`] is the real one. `guildhall_testkit::files` has one that forgets, tears and reorders whatever was not
//! synced. Code above the seam must therefore say exactly what it needs to be durable, and when: a write is durable
//! after [`File::sync_data`], a created, renamed or removed name after [`Files::sync_dir`]; before that each may survive
//! a power loss or not, in any order.

mod disk;

use std::{io, path::PathBuf, sync::Arc};

pub use disk::{Disk, DiskError};

/// One directory of files. Names are plain file names without separators.
pub trait Files: Send + Sync + 'static {
    /// Makes a new, empty file, open for reading and writing. An existing name is an error (`AlreadyExists`).
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Opens an existing file for reading and writing. A missing name is an error (`NotFound`).
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Renames a file, replacing what had the new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name; a file that is still open stays readable through its handles.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all regular files, in no particular order, the lock file excepted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes every create, rename and remove so far durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// Bytes that can still be written by this process.
    fn space_left(&self) -> io::Result<u64>;

    /// Where a file of this name is, for messages; `""` names the directory.
    fn path(&self, name: &str) -> PathBuf;
}

/// One open file. All methods may be called from several threads at once.
pub trait File: Send + Sync + 'static {
    /// Writes all of `data` at `offset`, growing the file where needed. After an error any part of it may be written.
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Reads up to `buffer.len()` bytes at `offset`; fewer (or 0) only at the file's end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Cuts the file or grows it with zeroes.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// The file's length in bytes. Never 0 for lack of an answer: errors are errors.
    fn length(&self) -> io::Result<u64>;

    /// Makes all writes so far and the file's length durable (fdatasync). After an error nothing is known of them, and a
    /// second call proves nothing.
    fn sync_data(&self) -> io::Result<()>;

    /// Writes zeroes from `from` to `to`, so that later writes there neither allocate nor grow.
    fn write_zeroes(&self, from: u64, to: u64) -> io::Result<()> {
        const ZEROES: &[u8] = &[0; 64 << 10];
        let mut at = from;
        while at < to {
            let length =
                usize::try_from(to - at).map_or(ZEROES.len(), |left| left.min(ZEROES.len()));
            self.write_at(at, &ZEROES[..length])?;
            at += length as u64;
        }
        Ok(())
    }
}
