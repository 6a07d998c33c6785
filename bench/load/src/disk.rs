//! Refuses file systems that are memory: a benchmark of durability on tmpfs measures nothing.

use std::path::Path;

use anyhow::{Context, Result, bail};

/// The magic numbers that statfs(2) gives for file systems that keep nothing.
const MEMORY: [(u64, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];

/// The names of common ones that do, for the report.
const REAL: [(u64, &str); 4] = [
    (0xef53, "ext4"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0x794c_7630, "overlayfs"),
];

/// The name of the file system under `dir`; an error where it is memory.
pub(crate) fn file_system(dir: &Path) -> Result<String> {
    let stat = rustix::fs::statfs(dir)
        .with_context(|| format!("cannot ask for the file system of {}", dir.display()))?;
    let magic = u64::try_from(stat.f_type).unwrap_or_default();
    if let Some((_, name)) = MEMORY.iter().find(|(memory, _)| *memory == magic) {
        bail!(
            "{} is on {name}: name a folder on a disk with --data",
            dir.display()
        );
    }
    let known = REAL.iter().find(|(real, _)| *real == magic);
    Ok(known.map_or_else(
        || format!("file system {magic:#x}"),
        |(_, name)| (*name).to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_refused() {
        let shm = Path::new("/dev/shm");
        if shm.is_dir() {
            let error = file_system(shm).unwrap_err().to_string();
            assert!(error.contains("tmpfs"), "{error}");
        }
    }
}
