//! A service's own database, as small as it can be: one append-only file with a line of JSON for each record.
//!
//! It stands for the database that a real service would share between its instances. Several processes use the same
//! file: each appends whole lines under the file's lock, and reads what the others have added before every lookup, so
//! that whichever instance is asked finds everything that any of them has answered for. A line is on the disk before
//! [`Ledger::append`] returns. A process killed in the middle of a line leaves a fragment; the next append ends that
//! line, and readers skip it with a warning: nobody was told that it had been kept.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};

/// How much is read at a time.
const CHUNK: usize = 64 << 10;

/// What can be kept.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Under what it is found.
    fn id(&self) -> &str;
}

/// The file, and what this process has read of it.
pub struct Ledger<T> {
    path: PathBuf,
    state: Mutex<State<T>>,
}

struct State<T> {
    file: File,
    /// Up to where whole lines have been read.
    offset: u64,
    records: Vec<Arc<T>>,
    by_id: HashMap<String, usize>,
}

impl<T: Record> Ledger<T> {
    /// Opens the file at `path`, and creates it if there is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let state = State {
            file,
            offset: 0,
            records: Vec::new(),
            by_id: HashMap::new(),
        };
        Ok(Self {
            path: path.to_owned(),
            state: Mutex::new(state),
        })
    }

    /// Keeps a record; when this returns, a crash or a power cut does not lose it.
    pub fn append(&self, record: &T) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        let state = self.state();
        state.still_at(&self.path)?;
        state.file.lock()?;
        let written = state.append(line);
        state.file.unlock()?;
        written
    }

    /// The record with this id.
    pub fn find(&self, id: &str) -> io::Result<Option<Arc<T>>> {
        let mut state = self.state();
        state.catch_up(&self.path)?;
        Ok(state.by_id.get(id).map(|&at| state.records[at].clone()))
    }

    /// The last `most` records, in the order in which they were kept.
    pub fn last(&self, most: usize) -> io::Result<Vec<Arc<T>>> {
        let mut state = self.state();
        state.catch_up(&self.path)?;
        let first = state.records.len().saturating_sub(most);
        Ok(state.records[first..].to_vec())
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // What was read stays true if whoever read it panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Record> State<T> {
    /// Writes a line in one piece; the caller holds the file's lock.
    fn append(&self, mut line: Vec<u8>) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            self.file.read_exact_at(&mut last, length - 1)?;
        }
        if last != [b'\n'] {
            line.insert(0, b'\n');
        }
        (&self.file).write_all(&line)?;
        self.file.sync_data()
    }

    /// What is written to a file that was moved away or replaced is lost to everybody else.
    fn still_at(&self, path: &Path) -> io::Result<()> {
        let (there, open) = (std::fs::metadata(path)?, self.file.metadata()?);
        if (there.dev(), there.ino()) == (open.dev(), open.ino()) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "{} is another file than the one that was opened; bring that one back, or restart the service",
            path.display()
        )))
    }

    /// Reads the lines that have come since the last time, this process's own among them.
    fn catch_up(&mut self, path: &Path) -> io::Result<()> {
        self.still_at(path)?;
        let mut pending = Vec::new();
        let mut chunk = vec![0; CHUNK];
        let mut at = self.offset;
        loop {
            let read = self.file.read_at(&mut chunk, at)?;
            if read == 0 {
                return Ok(());
            }
            at += read as u64;
            pending.extend_from_slice(&chunk[..read]);
            // The line after the last line break is still being written, or goes on in the next chunk.
            let Some(end) = pending.iter().rposition(|&byte| byte == b'\n') else {
                continue;
            };
            for line in pending[..end]
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                self.take(line, path);
            }
            self.offset += end as u64 + 1;
            pending.drain(..=end);
        }
    }

    fn take(&mut self, line: &[u8], path: &Path) {
        match serde_json::from_slice::<T>(line) {
            Ok(record) => {
                self.by_id
                    .insert(record.id().to_owned(), self.records.len());
                self.records.push(Arc::new(record));
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a line that is no record is skipped")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        id: String,
        text: String,
    }

    impl Record for Note {
        fn id(&self) -> &str {
            &self.id
        }
    }

    fn note(id: &str, text: &str) -> Note {
        Note {
            id: id.to_owned(),
            text: text.to_owned(),
        }
    }

    fn ids(ledger: &Ledger<Note>, most: usize) -> Vec<String> {
        ledger
            .last(most)
            .unwrap()
            .iter()
            .map(|note| note.id.clone())
            .collect()
    }

    #[test]
    fn a_file_that_is_away_or_another_is_not_used_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let (path, away) = (
            folder.path().join("notes.jsonl"),
            folder.path().join("away"),
        );
        let ledger = Ledger::<Note>::open(&path).unwrap();
        ledger.append(&note("a", "kept")).unwrap();
        std::fs::rename(&path, &away).unwrap();
        assert!(ledger.append(&note("b", "lost")).is_err() && ledger.find("a").is_err());
        std::fs::write(&path, "").unwrap();
        let other = ledger.last(9).unwrap_err().to_string();
        assert!(other.contains("is another file"), "{other}");
        std::fs::rename(&away, &path).unwrap();
        assert_eq!(ids(&ledger, 9), ["a"]);
    }

    #[test]
    fn two_who_share_a_file_find_what_either_has_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.jsonl");
        let (one, two) = (
            Ledger::<Note>::open(&path).unwrap(),
            Ledger::<Note>::open(&path).unwrap(),
        );
        one.append(&note("a", "from one")).unwrap();
        assert_eq!(two.find("a").unwrap().unwrap().text, "from one");
        two.append(&note("b", "from two")).unwrap();
        one.append(&note("c", "from one")).unwrap();
        for ledger in [&one, &two] {
            assert_eq!(ids(ledger, 10), ["a", "b", "c"]);
            assert_eq!(ids(ledger, 2), ["b", "c"]);
            assert!(ledger.find("d").unwrap().is_none());
        }
        assert_eq!(ids(&Ledger::open(&path).unwrap(), 10), ["a", "b", "c"]);
    }

    #[test]
    fn lines_longer_than_a_chunk_are_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.jsonl");
        let long = "x".repeat(2 * CHUNK);
        let ledger = Ledger::open(&path).unwrap();
        for id in ["a", "b", "c"] {
            ledger.append(&note(id, &long)).unwrap();
        }
        let other = Ledger::<Note>::open(&path).unwrap();
        assert_eq!(other.find("b").unwrap().unwrap().text, long);
        assert_eq!(ids(&other, 10), ["a", "b", "c"]);
    }

    #[test]
    fn a_fragment_is_not_read_and_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.jsonl");
        let ledger = Ledger::open(&path).unwrap();
        ledger.append(&note("a", "")).unwrap();
        // What a process leaves that is killed while it writes.
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(br#"{"id":"torn","te"#)
            .unwrap();
        assert_eq!(ids(&ledger, 10), ["a"]);
        ledger.append(&note("b", "")).unwrap();
        assert_eq!(ids(&ledger, 10), ["a", "b"]);
        assert_eq!(ids(&Ledger::open(&path).unwrap(), 10), ["a", "b"]);
    }

    #[test]
    fn many_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.jsonl");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    let ledger = Ledger::open(path).unwrap();
                    for n in 0..25 {
                        let id = format!("{writer}-{n}");
                        ledger.append(&note(&id, "")).unwrap();
                        assert!(ledger.find(&id).unwrap().is_some());
                    }
                });
            }
        });
        assert_eq!(ids(&Ledger::open(&path).unwrap(), 1000).len(), 100);
    }
}
