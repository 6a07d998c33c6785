//! What the disk itself does: appends of 512 bytes, each followed by fdatasync. Figures of durable stores mean little
//! without it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Long enough for thousands of syncs on a fast disk, and a hundred on a slow one.
const WINDOW: Duration = Duration::from_secs(2);

/// Synced appends a second, one after the other.
pub(super) fn rate(dir: &Path) -> Result<f64> {
    let mut file = File::create(dir.join("appends"))?;
    let started = Instant::now();
    let mut done = 0;
    while started.elapsed() < WINDOW {
        file.write_all(&[7; 512])?;
        file.sync_data()?;
        done += 1;
    }
    Ok(f64::from(done) / started.elapsed().as_secs_f64())
}
