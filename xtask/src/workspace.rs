//! Where the workspace is and what cargo says about it. No rule is decided here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The workspace's root: the folder above this crate.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that runs this tool.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let metadata = metadata()?;
    let dir = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?;
    Ok(PathBuf::from(dir))
}

/// `cargo metadata` of the workspace's own packages, without resolving the others (no network, no lock file change).
pub(crate) fn metadata() -> Result<Value> {
    let answer = ask(&["metadata", "--no-deps", "--format-version", "1"])?;
    serde_json::from_slice(&answer).context("cargo metadata is not JSON")
}

/// What a workspace crate is built from on this machine without its features, tests aside: one `name version` a line.
pub(crate) fn packages(name: &str) -> Result<String> {
    let args = [
        "--package",
        name,
        "--no-default-features",
        "--edges",
        "normal",
    ];
    let answer = ask(&[&["tree", "--locked", "--prefix", "none"], &args[..]].concat())?;
    String::from_utf8(answer).context("cargo tree is not UTF-8")
}

fn ask(args: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(cargo())
        .args(args)
        .current_dir(root())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!(
            "cargo {} failed: {}",
            args.first().copied().unwrap_or_default(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}
