//! The disk: files, the directory in the cache and on the platter, and the faults between a call and its effect.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use super::{
    faults::{Counts, Faults, Mutant, WriteFault, strikes},
    inode::{Inode, PAGE},
};

/// A change of the directory that was not synced.
#[derive(Clone)]
enum Change {
    Create(String, u64),
    Rename(String, String, u64),
    Remove(String),
}

/// The state behind a [`super::FaultyFiles`].
#[derive(Default)]
pub(super) struct Machine {
    inodes: HashMap<u64, Inode>,
    next: u64,
    /// The directory as programs see it.
    names: BTreeMap<String, u64>,
    platter: BTreeMap<String, u64>,
    changes: Vec<Change>,
    pub(super) faults: Faults,
    pub(super) counts: Counts,
}

impl Machine {
    /// Lets a change pass unless the power is off.
    fn change(&mut self) -> io::Result<()> {
        self.reachable()?;
        if let Some(left) = &mut self.faults.power {
            *left -= 1;
        }
        self.counts.operations += 1;
        Ok(())
    }

    fn reachable(&self) -> io::Result<()> {
        match self.faults.power {
            Some(0) => Err(io::Error::other("the power is off")),
            _ => Ok(()),
        }
    }

    pub(super) fn create(&mut self, name: &str) -> io::Result<u64> {
        self.change()?;
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = self.next;
        self.next += 1;
        self.inodes.insert(inode, Inode::default());
        self.names.insert(name.to_owned(), inode);
        self.changes.push(Change::Create(name.to_owned(), inode));
        Ok(inode)
    }

    pub(super) fn open(&self, name: &str) -> io::Result<u64> {
        self.reachable()?;
        self.names
            .get(name)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.change()?;
        let inode = self.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.names.insert(to.to_owned(), inode);
        self.changes
            .push(Change::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.change()?;
        let inode = self.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        self.changes.push(Change::Remove(name.to_owned()));
        let freed = self.inodes.get(&inode).map_or(0, Inode::space);
        self.free(freed);
        Ok(())
    }

    pub(super) fn list(&self) -> io::Result<Vec<String>> {
        self.reachable()?;
        Ok(self.names.keys().cloned().collect())
    }

    pub(super) fn sync_dir(&mut self) -> io::Result<()> {
        self.change()?;
        self.counts.dir_syncs += 1;
        if strikes(&mut self.faults.sync_dir) {
            return Err(io::Error::other("injected: the directory cannot be synced"));
        }
        if self.faults.mutant != Some(Mutant::SkipDirSync) {
            self.platter.clone_from(&self.names);
            self.changes.clear();
        }
        Ok(())
    }

    pub(super) fn write(&mut self, inode: u64, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change()?;
        self.counts.writes += 1;
        let mut kept = data.len();
        let mut failure = None;
        if let Some((nth, fault)) = self.faults.write.take() {
            match (nth, fault) {
                (0, WriteFault::Error) => kept = 0,
                (0, WriteFault::Short(bytes)) => kept = bytes.min(kept),
                (left, fault) => self.faults.write = Some((left - 1, fault)),
            }
            if nth == 0 {
                failure = Some(io::Error::other("injected: the write failed"));
            }
        }
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let Some(file) = self.inodes.get_mut(&inode) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Some(space) = &mut self.faults.space {
            for page in file.unallocated(offset, offset + kept) {
                if *space < PAGE as u64 {
                    kept = (page * PAGE).saturating_sub(offset).min(kept);
                    failure = Some(io::ErrorKind::StorageFull.into());
                    break;
                }
                *space -= PAGE as u64;
            }
        }
        if kept > 0 {
            file.write(offset, &data[..kept]);
            self.counts.bytes += kept as u64;
        }
        failure.map_or(Ok(()), Err)
    }

    pub(super) fn read(&self, inode: u64, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.reachable()?;
        let cache = self.inode(inode)?.cache();
        let start = usize::try_from(offset).map_or(cache.len(), |offset| offset.min(cache.len()));
        let length = buffer.len().min(cache.len() - start);
        buffer[..length].copy_from_slice(&cache[start..start + length]);
        Ok(length)
    }

    pub(super) fn set_len(&mut self, inode: u64, length: u64) -> io::Result<()> {
        self.change()?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let freed = self
            .inodes
            .get_mut(&inode)
            .map_or(0, |file| file.set_len(length));
        self.free(freed);
        Ok(())
    }

    pub(super) fn length(&self, inode: u64) -> io::Result<u64> {
        self.reachable()?;
        Ok(self.inode(inode)?.cache().len() as u64)
    }

    pub(super) fn sync_data(&mut self, inode: u64) -> io::Result<()> {
        self.change()?;
        self.counts.syncs += 1;
        let struck = strikes(&mut self.faults.sync);
        let skipped = match self.faults.mutant {
            Some(Mutant::SkipDataSync(suffix)) => self
                .names
                .iter()
                .any(|(name, named)| *named == inode && name.ends_with(suffix)),
            _ => false,
        };
        let Some(file) = self.inodes.get_mut(&inode) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if struck {
            file.lose();
            return Err(io::Error::other("injected: the sync failed"));
        }
        if !skipped {
            file.sync();
        }
        Ok(())
    }

    pub(super) fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let inode = self.names.get(name)?;
        Some(self.inodes.get(inode)?.cache().to_vec())
    }

    pub(super) fn corrupt(&mut self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        if let Some(file) = self
            .names
            .get(name)
            .and_then(|inode| self.inodes.get_mut(inode))
        {
            file.corrupt(change);
        }
    }

    /// The machine after a power loss.
    pub(super) fn crash(&self, rng: &mut fastrand::Rng) -> Self {
        let mut names = self.platter.clone();
        let kind = rng.u8(..5);
        let bound = rng.usize(..=self.changes.len());
        for (nth, change) in self.changes.iter().enumerate() {
            let survives = match kind {
                0 => false,
                1 => true,
                2 => nth < bound,
                _ => rng.bool(),
            };
            if !survives {
                continue;
            }
            match change {
                Change::Create(name, inode) => {
                    names.insert(name.clone(), *inode);
                }
                // A directory entry names a file, not a name: whatever else was lost, the new name is this file's.
                Change::Rename(from, to, inode) => {
                    if names.get(from) == Some(inode) {
                        names.remove(from);
                    }
                    names.insert(to.clone(), *inode);
                }
                Change::Remove(name) => {
                    names.remove(name);
                }
            }
        }
        let mut inodes = HashMap::new();
        for inode in names.values() {
            if let Some(file) = self.inodes.get(inode) {
                inodes.insert(*inode, file.crash(rng));
            }
        }
        Self {
            inodes,
            next: self.next,
            platter: names.clone(),
            names,
            ..Self::default()
        }
    }

    /// The machine after the process was killed.
    pub(super) fn kill(&self) -> Self {
        Self {
            inodes: self.inodes.clone(),
            next: self.next,
            names: self.names.clone(),
            platter: self.platter.clone(),
            changes: self.changes.clone(),
            ..Self::default()
        }
    }

    fn inode(&self, inode: u64) -> io::Result<&Inode> {
        self.inodes
            .get(&inode)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn free(&mut self, bytes: u64) {
        if let Some(space) = &mut self.faults.space {
            *space += bytes;
        }
    }
}
