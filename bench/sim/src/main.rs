//! A simulation of callers and a service in trouble: ours against naive retry, Envoy's and resilience4j's defaults.
//!
//! Discrete events in virtual time, seeded: no thread, no sleep, and the same seed gives the same bytes.
//!
//! - [`event`], [`backend`], [`scenario`], [`world`]: what happens.
//! - [`strategy`]: what each caller does about it; ours are the real state machines of guildhall-resilience.
//! - [`suite`], [`measure`], [`bars`], [`report`], [`curves`], [`plot`]: which runs there are, and what is told of them.
#![expect(
    clippy::print_stdout,
    reason = "a command line tool speaks to its terminal"
)]

mod backend;
mod bars;
mod clock;
mod curves;
mod event;
mod measure;
mod plot;
mod report;
mod scenario;
mod strategy;
mod suite;
#[cfg(test)]
mod tests;
mod time;
mod world;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::Parser;

use crate::suite::Suite;
use crate::time::Timeline;

/// Resilience, simulated: ours, naive retry, Envoy and resilience4j.
#[derive(Parser)]
#[command(name = "cargo xtask bench resilience-sim")]
struct Cli {
    /// The same seed gives the same report.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the report, and leave docs/resilience-sim.md and docs/plots as they are.
    #[arg(long)]
    dry_run: bool,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let suite = Suite::run(cli.seed, Timeline::new(clock::origin()))?;
    let report = report::report(&suite);
    print!("{report}");
    if cli.dry_run {
        return Ok(());
    }
    let docs = Path::new("docs");
    let write = |path: &str, text: &str| {
        let path = docs.join(path);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    fs::create_dir_all(docs.join("plots")).context("cannot make docs/plots")?;
    for (path, svg) in curves::plots(&suite) {
        write(&path, &svg)?;
    }
    write("resilience-sim.md", &report)
}
