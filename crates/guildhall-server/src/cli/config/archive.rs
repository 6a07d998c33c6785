//! What is imported, as files: out of a folder, a zip archive or a single file.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use guildhall_core::config::import::Entry;

use super::zip;
use crate::cli::{Exit, Failure};

/// How much is read. Contents of the platform have at most 1 MiB; an export of thousands of them in one file has more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most files.
    pub(super) files: usize,
    /// The most bytes of one file.
    pub(super) file: u64,
    /// The most bytes of all files.
    pub(super) total: u64,
}

/// The limits of an import.
pub(super) const LIMITS: Limits = Limits {
    files: 100_000,
    file: 256 << 20,
    total: 512 << 20,
};

/// All files that stand at `path`.
pub(super) fn read(path: &Path, limits: &Limits) -> Result<Vec<Entry>, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        Failure::new(Exit::Failure, format!("{} cannot be read", path.display())).why(why)
    };
    let refused = |why: &dyn std::fmt::Display| {
        Failure::new(Exit::Invalid, format!("{} is not imported", path.display())).why(why)
    };
    if path.is_dir() {
        return folder(path, limits, &failed, &refused);
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let read = file.take(limits.total + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(&error))?;
    if bytes.len() as u64 > limits.total {
        return Err(refused(&format!(
            "it is larger than {} bytes",
            limits.total
        )));
    }
    // A zip archive begins with an entry, or with its end if it has none.
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return zip::read(&bytes, limits).map_err(|error| refused(&error));
    }
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(vec![Entry {
        path: name.unwrap_or_default(),
        content: bytes.into(),
    }])
}

fn folder(
    folder: &Path,
    limits: &Limits,
    failed: &dyn Fn(&dyn std::fmt::Display) -> Failure,
    refused: &dyn Fn(&dyn std::fmt::Display) -> Failure,
) -> Result<Vec<Entry>, Failure> {
    let files = below(folder).map_err(|error| failed(&error))?;
    if files.len() > limits.files {
        let (there, most) = (files.len(), limits.files);
        return Err(refused(&format!("it has {there} files, more than {most}")));
    }
    let mut entries = Vec::with_capacity(files.len());
    let mut room = limits.total;
    for file in files {
        let shown = file.display();
        let inside = file.strip_prefix(folder).ok().and_then(Path::to_str);
        let Some(path) = inside else {
            return Err(refused(&format!("the name of {shown} is not UTF-8")));
        };
        let content = std::fs::read(&file).map_err(|error| failed(&format!("{shown}: {error}")))?;
        room = room.checked_sub(content.len() as u64).ok_or_else(|| {
            refused(&format!(
                "its files have more than {} bytes together",
                limits.total
            ))
        })?;
        entries.push(Entry {
            path: path.to_owned(),
            content: content.into(),
        });
    }
    Ok(entries)
}

/// All files below a folder, by path; hidden ones only where a known format has them, and nothing behind a symbolic link
/// to a folder.
pub(super) fn below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            if is_hidden && name != ".meta.yml" && name != ".metadata.yml" {
                continue;
            }
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
