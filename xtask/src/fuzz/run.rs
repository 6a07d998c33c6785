//! Runs one target: where its inputs are, how long, and what came of it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};

use super::{stats::Stats, targets::Target};
use crate::workspace;

/// More memory than this, in MiB, is a finding: parsers are bounded.
const MEMORY: u32 = 2048;

/// An input that takes longer than this, in seconds, is a finding.
const PATIENCE: u32 = 10;

/// Longer inputs, in bytes, are not made: what goes wrong goes wrong with short ones, too, and sooner.
const LENGTH: u32 = 4096;

/// Where a target's files are.
#[derive(Debug)]
pub(super) struct Place {
    name: String,
    binary: PathBuf,
    /// Where new inputs go.
    found: PathBuf,
    /// Where inputs are read only.
    seeds: Vec<PathBuf>,
    crashes: PathBuf,
    log: PathBuf,
}

impl Place {
    pub(super) fn new(folder: &Path, to: &Path, binaries: &Path, target: &Target) -> Self {
        let name = &target.name;
        let own = folder.join("corpus").join(name);
        Self {
            name: name.clone(),
            binary: binaries.join(name),
            found: to.join("corpus").join(name),
            seeds: std::iter::once(own)
                .chain(target.seeds.iter().cloned())
                .filter(|folder| folder.is_dir())
                .collect(),
            crashes: to.join("crashes").join(name),
            log: to.join("logs").join(format!("{name}.log")),
        }
    }
}

/// What came of one target.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) stats: Stats,
    /// Whether it ended as it should.
    succeeded: bool,
    log: PathBuf,
}

impl Outcome {
    #[cfg(test)]
    pub(super) fn new(name: &str, stats: Stats, succeeded: bool) -> Self {
        Self {
            name: name.to_owned(),
            stats,
            succeeded,
            log: PathBuf::from("target/fuzz/logs").join(format!("{name}.log")),
        }
    }

    pub(super) fn crashed(&self) -> bool {
        !self.succeeded
    }

    /// In one line, as progress.
    pub(super) fn line(&self) -> String {
        let Stats { runs, edges, .. } = self.stats;
        match self.crashed() {
            false => format!("{}: {runs} runs, {edges} edges", self.name),
            true => format!("{}: CRASHED after {runs} runs", self.name),
        }
    }
}

/// Runs a target for so long.
pub(super) fn run(place: &Place, limit: Duration) -> Result<Outcome> {
    for folder in [&place.found, &place.crashes] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    if let Some(logs) = place.log.parent() {
        fs::create_dir_all(logs).with_context(|| logs.display().to_string())?;
    }
    let log = File::create(&place.log).with_context(|| place.log.display().to_string())?;
    let status = Command::new(&place.binary)
        .arg(format!("-max_total_time={}", limit.as_secs()))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-timeout={PATIENCE}"))
        .arg(format!("-max_len={LENGTH}"))
        .args(["-print_final_stats=1", "-reload=0"])
        .arg(format!("-artifact_prefix={}/", place.crashes.display()))
        .arg(&place.found)
        .args(&place.seeds)
        .env("RUST_BACKTRACE", "1")
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .status()
        .with_context(|| format!("cannot start {}", place.binary.display()))?;
    let said = fs::read(&place.log).with_context(|| place.log.display().to_string())?;
    Ok(Outcome {
        name: place.name.clone(),
        stats: Stats::parse(&String::from_utf8_lossy(&said)),
        succeeded: status.success(),
        log: place.log.clone(),
    })
}

/// Runs a target on one input, and shows what it says.
pub(super) fn once(binaries: &Path, target: &Target, input: &Path) -> Result<ExitCode> {
    fs::metadata(input).with_context(|| format!("cannot read {}", input.display()))?;
    let binary = binaries.join(&target.name);
    let status = Command::new(&binary)
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-timeout={PATIENCE}"))
        .arg(input)
        .env("RUST_BACKTRACE", "1")
        .status()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What to do about a crash.
pub(super) fn explain(outcome: &Outcome) -> String {
    let Outcome {
        name, stats, log, ..
    } = outcome;
    let short = |path: &Path| {
        let path = path.strip_prefix(workspace::root()).unwrap_or(path);
        path.display().to_string()
    };
    let mut text = format!("\n{name} crashed");
    if let Some(why) = &stats.why {
        text.push_str(&format!(": {why}"));
    }
    text.push_str(&format!("\n  what it said  {}\n", short(log)));
    match &stats.artifact {
        Some(artifact) => {
            let input = short(Path::new(artifact));
            text.push_str(&format!(
                "  its input     {input}\n  to see it     cargo xtask fuzz --input {input} {name}\n  to keep it    cp {input} fuzz/corpus/{name}/WHAT-IT-SHOWED\n"
            ));
        }
        None => text.push_str("  it left no input; its output says why\n"),
    }
    text
}
