//! The file `format`: which version of the layout a directory has, and which incarnation of the store.
//!
//! It is written last when a store is made or restored. A directory without it is empty, or was left half made.

use std::{io, sync::Arc};

use guildhall_log::files::Files;

use super::OpenError;

const NAME: &str = "format";
const UNFINISHED: &str = "format.new";
const TITLE: &str = "guildhall store";
/// The newest layout that this build reads, and the one it writes. Version 1 had a file for each blob; opening makes a
/// version 2 of it, first of all in this file, so that an older build does not miss the blobs but says why.
pub(crate) const VERSION: u32 = 2;
const OLDEST: u32 = 1;

/// What the file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Format {
    pub(crate) version: u32,
    pub(crate) incarnation: u64,
}

/// What a directory holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// A store.
    Store(Format),
    /// Nothing that says so: a new directory, or one that was left half made.
    Unmarked,
    /// A store's mark, and nothing else.
    WithoutLog,
}

impl Format {
    /// Of this build's version.
    pub(crate) fn new(incarnation: u64) -> Self {
        Self {
            version: VERSION,
            incarnation,
        }
    }

    /// Looks into a directory.
    pub(crate) fn find(files: &Arc<dyn Files>) -> Result<Found, OpenError> {
        let io = |action| {
            move |source| OpenError::Io {
                action,
                file: files.path(NAME),
                source,
            }
        };
        let names = files.list().map_err(io("listing the directory of"))?;
        let others = names.iter().any(|name| name != NAME && name != UNFINISHED);
        if !names.iter().any(|name| name == NAME) {
            return Ok(Found::Unmarked);
        }
        let file = files.open(NAME).map_err(io("opening"))?;
        let mut bytes = [0; 256];
        let read = file.read_at(0, &mut bytes).map_err(io("reading"))?;
        let format = Self::parse(&bytes[..read]).map_err(|problem| match problem {
            Problem::Version(found) => OpenError::Version {
                found,
                supported: VERSION,
            },
            Problem::Unreadable => OpenError::Unreadable {
                file: files.path(NAME),
            },
        })?;
        Ok(if others {
            Found::Store(format)
        } else {
            Found::WithoutLog
        })
    }

    /// Writes the file, durably.
    pub(crate) fn write(self, files: &Arc<dyn Files>) -> Result<(), OpenError> {
        self.try_write(files).map_err(|source| {
            let file = files.path(NAME);
            OpenError::Io {
                action: "writing",
                file,
                source,
            }
        })
    }

    fn try_write(self, files: &Arc<dyn Files>) -> io::Result<()> {
        match files.remove(UNFINISHED) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = files.create(UNFINISHED)?;
        file.write_at(0, self.text().as_bytes())?;
        file.sync_data()?;
        files.rename(UNFINISHED, NAME)?;
        files.sync_dir()
    }

    fn text(self) -> String {
        format!(
            "{TITLE}\nformat {}\nincarnation {}\n",
            self.version, self.incarnation
        )
    }

    fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let text = str::from_utf8(bytes).map_err(|_| Problem::Unreadable)?;
        let mut lines = text.split_terminator('\n');
        if lines.next() != Some(TITLE) {
            return Err(Problem::Unreadable);
        }
        let mut number = |name: &str| {
            let line = lines.next()?.strip_prefix(name)?.strip_prefix(' ')?;
            line.parse::<u64>().ok()
        };
        let version = number("format").ok_or(Problem::Unreadable)?;
        let version = u32::try_from(version).unwrap_or(u32::MAX);
        if !(OLDEST..=VERSION).contains(&version) {
            return Err(Problem::Version(version));
        }
        let incarnation = number("incarnation").ok_or(Problem::Unreadable)?;
        Ok(Self {
            version,
            incarnation,
        })
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Problem {
    Version(u32),
    Unreadable,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_a_newer_version_says_so() {
        let format = Format::new(1_700_000_000_000);
        let text = format.text();
        assert_eq!(
            text,
            "guildhall store\nformat 2\nincarnation 1700000000000\n"
        );
        assert_eq!(Format::parse(text.as_bytes()), Ok(format));
        let older = Format::parse(b"guildhall store\nformat 1\nincarnation 5\n").unwrap();
        assert_eq!((older.version, older.incarnation), (1, 5));
        assert_eq!(
            Format::parse(b"guildhall store\nformat 3\nsomething 5\n"),
            Err(Problem::Version(3))
        );
        for bad in [
            "",
            "guildhall store",
            "guildhall store\nformat x\n",
            "guildhall store\nformat 1\n",
            "\u{0}",
        ] {
            assert_eq!(
                Format::parse(bad.as_bytes()),
                Err(Problem::Unreadable),
                "{bad:?}"
            );
        }
    }
}
