//! Builds the targets with coverage. cargo-fuzz does the same with a nightly toolchain and a sanitizer on top; the passes
//! that count coverage are in the stable compiler, too.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::targets::Target;
use crate::workspace;

/// What libFuzzer needs of the compiled code: a counter for each edge, a table of what they are, and the operands of
/// comparisons. Checks of overflows and debug assertions come from the profile.
const FLAGS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];

/// What to do where libFuzzer cannot be built.
const COMPILER: &str = "libFuzzer, which the targets run on, is C++: install a compiler \
    (Debian and Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install), \
    or name one in the variable CXX";

/// Builds the targets into `to`, and says where their binaries are.
pub(super) fn build(folder: &Path, to: &Path, targets: &[&Target]) -> Result<PathBuf> {
    check_compiler()?;
    let host = host()?;
    let lock = folder.join("Cargo.lock");
    let before = std::fs::read(&lock).ok();
    let mut cargo = Command::new(workspace::cargo());
    cargo
        .args(["build", "--release", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(to)
        // With a target named, scripts and macros that run while building are not instrumented.
        .args(["--target", &host])
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
        .env_remove("RUSTFLAGS")
        .current_dir(workspace::root());
    for target in targets {
        cargo.args(["--bin", &target.name]);
    }
    eprintln!("building {} targets with coverage ...", targets.len());
    let status = cargo.status().context("cannot start cargo")?;
    if !status.success() {
        bail!(
            "the targets do not build. If it is libfuzzer-sys that does not: {COMPILER}, and see that it understands C++17"
        );
    }
    if before != std::fs::read(&lock).ok() {
        eprintln!("fuzz/Cargo.lock followed the dependencies of the crates: commit it with them");
    }
    Ok(to.join(host).join("release"))
}

/// Says what to install before minutes of building have gone by.
fn check_compiler() -> Result<()> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    // What is set may hold arguments, too; cc sorts that out.
    let is_plain = !compiler.to_string_lossy().contains(' ');
    let asked = Command::new(&compiler)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match asked {
        Err(error) if is_plain && error.kind() == ErrorKind::NotFound => {
            bail!("there is no {}: {COMPILER}", compiler.to_string_lossy())
        }
        _ => Ok(()),
    }
}

/// The triple of this machine.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("-vV")
        .output()
        .context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc -vV names no host")
}
