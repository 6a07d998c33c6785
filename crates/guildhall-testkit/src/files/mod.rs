//! The faulty side of the log's file seam: a disk in memory that knows what was synced and what was not.
//!
//! [`FaultyFiles`] keeps two states: what programs see (the page cache) and what would survive a power loss (the platter).
//! Writes and lengths move from one to the other with [`File::sync_data`], names with [`Files::sync_dir`]. A
//! [`FaultyFiles::crash`] gives the machine after a power loss: of everything unsynced, a seeded choice survives, sector
//! by sector, in any order; of unsynced creates, renames and removes likewise.
//!
//! ```text
//! let files = FaultyFiles::new();
//! files.cut_power_after(17);          // the 17th operation from here still happens, the next one does not
//! … use Arc::new(files.clone()) until something fails …
//! let after = files.crash(seed);      // open again on this
//! ```
//!
//! Besides, it fails writes and syncs on demand, runs full and gets space again, counts syncs, and can be a [`Mutant`]
//! that skips one kind of sync: a power-loss test that does not notice the mutant proves nothing.
//!
//! A failed sync behaves as Linux's does: the pages stay readable, count as clean, and are not written by a later sync
//! unless they were written anew.

mod faults;
mod inode;
mod machine;

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use guildhall_log::files::{File, Files};

pub use faults::{Counts, Mutant, WriteFault};
use machine::Machine;

/// A directory on a disk that loses whatever was not synced. Clones are the same disk.
#[derive(Clone, Default)]
pub struct FaultyFiles {
    machine: Arc<Mutex<Machine>>,
}

impl FaultyFiles {
    /// An empty directory on a disk without faults or limits.
    pub fn new() -> Self {
        Self::default()
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The directory as it may be after a power loss now: one seeded choice among all that is allowed. The new disk has
    /// power, and no faults.
    #[must_use]
    pub fn crash(&self, seed: u64) -> Self {
        let after = self.machine().crash(&mut fastrand::Rng::with_seed(seed));
        Self {
            machine: Arc::new(Mutex::new(after)),
        }
    }

    /// The directory as it is after the process was killed: everything written is still there, synced or not.
    #[must_use]
    pub fn kill(&self) -> Self {
        let after = self.machine().kill();
        Self {
            machine: Arc::new(Mutex::new(after)),
        }
    }

    /// Lets `operations` further changes (writes, syncs, creates, …) happen; then every call fails.
    pub fn cut_power_after(&self, operations: u64) {
        self.machine().faults.power = Some(operations);
    }

    /// Whether the power was cut.
    pub fn is_off(&self) -> bool {
        self.machine().faults.power == Some(0)
    }

    /// Makes the `nth` write from here (0 is the next) fail in this way.
    pub fn fail_write(&self, nth: u64, fault: WriteFault) {
        self.machine().faults.write = Some((nth, fault));
    }

    /// Makes the `nth` data sync from here (0 is the next) fail; what it should have made durable is lost.
    pub fn fail_sync(&self, nth: u64) {
        self.machine().faults.sync = Some(nth);
    }

    /// Makes the `nth` directory sync from here (0 is the next) fail.
    pub fn fail_sync_dir(&self, nth: u64) {
        self.machine().faults.sync_dir = Some(nth);
    }

    /// Limits the disk to so many further bytes (in whole pages of 4 KiB); `None` gives the space back.
    pub fn set_space(&self, bytes: Option<u64>) {
        self.machine().faults.space = bytes;
    }

    /// Skips one kind of sync from here on.
    pub fn set_mutant(&self, mutant: Option<Mutant>) {
        self.machine().faults.mutant = mutant;
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.machine().counts
    }

    /// A file's bytes as programs see them, or `None` if there is no such file.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.machine().contents(name)
    }

    /// Changes a file's bytes behind everybody's back, in the cache and on the platter alike. A missing file stays missing.
    pub fn corrupt(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        self.machine().corrupt(name, change);
    }
}

impl Files for FaultyFiles {
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inode = self.machine().create(name)?;
        Ok(Arc::new(FaultyFile {
            files: self.clone(),
            inode,
        }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inode = self.machine().open(name)?;
        Ok(Arc::new(FaultyFile {
            files: self.clone(),
            inode,
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.machine().rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.machine().remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.machine().list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.machine().sync_dir()
    }

    fn space_left(&self) -> io::Result<u64> {
        Ok(self.machine().faults.space.unwrap_or(u64::MAX))
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/faulty").join(name)
    }
}

/// An open file of a [`FaultyFiles`].
struct FaultyFile {
    files: FaultyFiles,
    inode: u64,
}

impl File for FaultyFile {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.files.machine().write(self.inode, offset, data)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.files.machine().read(self.inode, offset, buffer)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.files.machine().set_len(self.inode, length)
    }

    fn length(&self) -> io::Result<u64> {
        self.files.machine().length(self.inode)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.files.machine().sync_data(self.inode)
    }
}
