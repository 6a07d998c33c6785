//! Files in a zip archive: written so that the same files make the same bytes, read with distrust.

use std::{
    collections::BTreeSet,
    io::{Cursor, Read, Write},
    path::Path,
};

use bytes::Bytes;
use guildhall_core::config::import::Entry;
use zip::{CompressionMethod, ZipArchive, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::{archive::Limits, export};

/// An archive that is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Broken, or in a way that is not understood here.
    #[error("it is no zip archive that can be read: {0}")]
    Broken(#[from] ZipError),
    /// An entry that cannot be read.
    #[error("the entry {entry:?} cannot be read: {error}")]
    Entry { entry: String, error: String },
    /// An entry that leads elsewhere, or that is no file.
    #[error("the entry {entry:?} {why}; it was not made by an export")]
    Hostile { entry: String, why: &'static str },
    /// Entries that share their name or their bytes.
    #[error("{0}; which one is meant cannot be told")]
    Ambiguous(&'static str),
    /// Behind a password.
    #[error("the entry {0:?} is encrypted; unpack the archive and import the folder")]
    Encrypted(String),
    /// More than is plausible.
    #[error("{0}")]
    TooMuch(String),
}

/// Writes `files` into an archive at `path`, in their order. It is there whole, or not at all.
pub(super) fn write(path: &Path, files: &[(String, Bytes)]) -> Result<(), ZipError> {
    // No times: the same files make the same archive.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, content) in files {
        archive.start_file(path.as_str(), options)?;
        archive.write_all(content)?;
    }
    let bytes = archive.finish()?.into_inner();
    Ok(export::write(path, &bytes)?)
}

/// Reads all files of an archive, by path.
///
/// Nothing of it is believed: names must stay inside, sizes are counted as they are unpacked, and what can be read in
/// two ways is refused.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Vec<Entry>, Refused> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.has_duplicate_names() {
        return Err(Refused::Ambiguous("two entries have the same name"));
    }
    if archive.len() > limits.files {
        let (there, most) = (archive.len(), limits.files);
        return Err(Refused::TooMuch(format!(
            "it has {there} entries, more than {most}"
        )));
    }
    if archive.has_overlapping_entries()? {
        return Err(Refused::Ambiguous("entries overlap"));
    }
    let mut entries = Vec::new();
    let mut seen = BTreeSet::new();
    let mut room = limits.total;
    for at in 0..archive.len() {
        let entry = archive.by_index_data(at)?;
        let path = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(error) => {
                let entry = String::from_utf8_lossy(entry.name_raw()).into_owned();
                let error = error.to_string();
                return Err(Refused::Entry { entry, error });
            }
        };
        let hostile = |why| Refused::Hostile {
            entry: path.clone(),
            why,
        };
        if path.bytes().any(|byte| byte < b' ' || byte == b'\\') {
            return Err(hostile("has characters that are in no path"));
        }
        let parts = path.strip_suffix('/').unwrap_or(&path).split('/');
        if path.starts_with('/') || parts.clone().any(|part| matches!(part, "" | "." | "..")) {
            return Err(hostile("leads out of the archive"));
        }
        if entry.is_symlink() {
            return Err(hostile("is a symbolic link"));
        }
        if entry.is_dir() {
            continue;
        }
        if entry.encrypted() {
            return Err(Refused::Encrypted(path));
        }
        if !seen.insert(path.clone()) {
            return Err(Refused::Ambiguous("two entries have the same name"));
        }
        let broken = |error: &dyn std::fmt::Display| Refused::Entry {
            entry: path.clone(),
            error: error.to_string(),
        };
        let mut content = Vec::new();
        // What the header says of the size is not believed.
        let most = limits.file.min(room);
        let file = archive.by_index(at).map_err(|error| broken(&error))?;
        let read = file.take(most + 1).read_to_end(&mut content);
        read.map_err(|error| broken(&error))?;
        let size = content.len() as u64;
        if size > limits.file {
            let most = limits.file;
            return Err(Refused::TooMuch(format!(
                "the entry {path:?} is larger than {most} bytes"
            )));
        }
        if size > room {
            let most = limits.total;
            return Err(Refused::TooMuch(format!(
                "it unpacks to more than {most} bytes"
            )));
        }
        room -= size;
        entries.push(Entry {
            path,
            content: content.into(),
        });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        files: 3,
        file: 1000,
        total: 1500,
    };

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for (path, content) in files {
            if path.ends_with('/') {
                archive.add_directory(*path, options).unwrap();
                continue;
            }
            archive.start_file(*path, options).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    /// The same archive with these bytes instead of those, wherever they stand.
    fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
        for at in 0..=bytes.len() - from.len() {
            if bytes[at..].starts_with(from) {
                bytes[at..at + to.len()].copy_from_slice(to);
            }
        }
        bytes
    }

    fn refused(bytes: &[u8]) -> String {
        read(bytes, &LIMITS).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read_and_the_same_files_make_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            ("a/_/b.yaml".to_owned(), Bytes::from_static(b"x: 1\n")),
            ("a/_/%2Eenv".to_owned(), Bytes::from_static(b"\xff\x00")),
        ];
        let made = |name: &str| {
            write(&folder.path().join(name), &files).unwrap();
            std::fs::read(folder.path().join(name)).unwrap()
        };
        assert_eq!(made("1.zip"), made("2.zip"));
        let entries = read(&made("1.zip"), &LIMITS).unwrap();
        let back: Vec<(String, Bytes)> = entries
            .into_iter()
            .map(|entry| (entry.path, entry.content))
            .collect();
        assert_eq!(back, files);
        let with_folder = archive(&[("a/", b""), ("a/b", b"1")]);
        assert_eq!(read(&with_folder, &LIMITS).unwrap().len(), 1);
    }

    #[test]
    fn entries_that_lead_elsewhere_are_refused() {
        for name in [
            "../a",
            "a/../../b",
            "/etc/passwd",
            "a//b",
            "./a",
            "a\\b",
            "a\nb",
            "../a/",
        ] {
            let said = refused(&archive(&[(name, b"1")]));
            assert!(
                said.contains("was not made by an export"),
                "{name:?}: {said}"
            );
        }
        let mut links = ZipWriter::new(Cursor::new(Vec::new()));
        links
            .add_symlink("a", "/etc/passwd", SimpleFileOptions::default())
            .unwrap();
        let links = links.finish().unwrap().into_inner();
        assert!(
            refused(&links).contains("\"a\" is a symbolic link"),
            "{}",
            refused(&links)
        );
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused_whatever_its_header_says() {
        let large = archive(&[("a", &[0; 1001])]);
        assert_eq!(refused(&large), "the entry \"a\" is larger than 1000 bytes");
        let together = archive(&[("a", &[0; 900]), ("b", &[0; 900])]);
        assert_eq!(refused(&together), "it unpacks to more than 1500 bytes");
        let many = archive(&[("a", b""), ("b", b""), ("c", b""), ("d", b"")]);
        assert_eq!(refused(&many), "it has 4 entries, more than 3");
        // A header that says less than there is: at most that is unpacked, and then it is broken.
        let lies = replaced(
            archive(&[("a", &[0; 900])]),
            &900_u32.to_le_bytes(),
            &9_u32.to_le_bytes(),
        );
        assert!(read(&lies, &LIMITS).is_err());
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_not_at_all_is_refused() {
        let twice = replaced(archive(&[("aa", b"1"), ("ab", b"2")]), b"ab", b"aa");
        assert!(
            refused(&twice).contains("two entries have the same name"),
            "{}",
            refused(&twice)
        );
        // The flags stand after the version: in the entry's own header, and in that of the directory.
        let plain = archive(&[("a", b"1")]);
        let mut locked = plain.clone();
        locked[6] |= 1;
        let directory = locked
            .windows(4)
            .position(|four| four == b"PK\x01\x02")
            .unwrap();
        locked[directory + 8] |= 1;
        assert!(
            refused(&locked).contains("\"a\" is encrypted"),
            "{}",
            refused(&locked)
        );
        let half = &plain[..plain.len() / 2];
        assert!(
            refused(half).contains("no zip archive"),
            "{}",
            refused(half)
        );
        let mut torn = archive(&[("a", &[b'x'; 500])]);
        torn[33] ^= 0xff;
        assert!(
            refused(&torn).contains("\"a\" cannot be read"),
            "{}",
            refused(&torn)
        );
    }
}
