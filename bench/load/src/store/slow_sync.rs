//! The launcher that slows every sync of a program, built from `bench/load/shim/slow_sync.c` where it is used.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

const SOURCE: &str = include_str!("../../shim/slow_sync.c");

/// Builds the launcher in a folder.
pub(super) fn build(dir: &Path) -> Result<PathBuf> {
    let source = dir.join("slow_sync.c");
    let launcher = dir.join("slow-sync");
    std::fs::write(&source, SOURCE)?;
    let output = Command::new("cc")
        .args(["-O2", "-pthread", "-o"])
        .args([&launcher, &source])
        .output()
        .context("cannot start cc: install a C compiler (scripts/bench-setup does it)")?;
    if !output.status.success() {
        bail!("cc: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(launcher)
}

/// The words before a command that is to be slowed.
pub(super) fn wrapper(launcher: &Path, added: Duration) -> Vec<OsString> {
    vec![launcher.into(), added.as_micros().to_string().into()]
}
