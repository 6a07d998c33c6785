//! What reaches the block device. What the kernel counts for a process is not it: it takes a dirtied page for the whole
//! large folio around it.

use std::path::{Path, PathBuf};

use anyhow::Result;

/// Bytes of a sector in the block layer's statistics, whatever the device's own are.
const SECTOR: f64 = 512.0;

/// The statistics file of the device that holds a folder.
pub(super) fn statistics(dir: &Path) -> Result<PathBuf> {
    let device = rustix::fs::stat(dir)?.st_dev;
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    Ok(format!("/sys/dev/block/{major}:{minor}/stat").into())
}

/// Bytes written to the device so far, by whomever; NaN where the system does not say.
pub(super) fn written(statistics: &Path) -> f64 {
    let text = std::fs::read_to_string(statistics).unwrap_or_default();
    let sectors = text.split_whitespace().nth(6);
    sectors
        .and_then(|sectors| sectors.parse::<f64>().ok())
        .map_or(f64::NAN, |sectors| sectors * SECTOR)
}
