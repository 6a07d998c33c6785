//! What the disk itself does: a page appended and synced, one after the other. Figures of durable stores mean little
//! without it, and those under a pause mean little without what that pause comes to: a machine whose cores are taken
//! wakes a sleeper late.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;

use crate::log::{child, figure};
use crate::window::Sample;

/// One turn.
pub(super) fn turn(dir: &Path, seconds: f64, wrapper: &[OsString]) -> Result<Sample> {
    let found = child::disk_alone(dir, seconds, wrapper)?;
    let cpu_us = figure(&found, "cpuUs")?;
    let rate = figure(&found, "rate")?;
    Ok(Sample {
        rate,
        cpu_us,
        busy: cpu_us * rate / 1e6,
        load: 0.0,
        bytes: figure(&found, "fileBytes")?,
        p50_us: figure(&found, "p50Us")?,
        p99_us: figure(&found, "p99Us")?,
    })
}
