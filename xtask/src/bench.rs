//! `cargo xtask bench <which> [options]`: builds what the benchmark needs with release code, then hands over to the
//! harness in `bench/load`, which measures, or to the simulation in `bench/sim`. No figure is made here.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// What `cargo xtask bench` takes: the benchmark's name first, then whatever the harness understands.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// gateway, registry, configs, store, log, idle or resilience-sim, then the harness's own options (`--help` lists them).
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    rest: Vec<String>,
}

/// Builds the server (unless it is named, or not needed) and the harness, and runs that in the workspace's root.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if args
        .rest
        .first()
        .is_some_and(|which| which == "resilience-sim")
    {
        return hand_over("guildhall-bench-sim", &args.rest[1..]);
    }
    let only_help = args.rest.iter().any(|arg| arg == "--help" || arg == "-h");
    let names_a_server = args.rest.iter().any(|arg| arg.starts_with("--guildhall"));
    // These have what they measure inside the harness.
    let needs_a_server = args
        .rest
        .first()
        .is_some_and(|which| which != "store" && which != "log");
    if needs_a_server && !only_help && !names_a_server {
        build(&["build", "--release", "--package", "guildhall-server"])?;
    }
    hand_over("guildhall-bench", &args.rest)
}

/// Builds a harness and runs it in the workspace's root.
fn hand_over(package: &str, args: &[String]) -> Result<ExitCode> {
    build(&["build", "--profile", "bench", "--package", package])?;
    let harness = workspace::target_dir()?.join("release").join(package);
    let status = Command::new(&harness)
        .args(args)
        .current_dir(workspace::root())
        .status()
        .with_context(|| format!("cannot start {}", harness.display()))?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn build(args: &[&str]) -> Result<()> {
    let status = Command::new(workspace::cargo())
        .args(args)
        .current_dir(workspace::root())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo {} failed", args.join(" "));
    }
    Ok(())
}
