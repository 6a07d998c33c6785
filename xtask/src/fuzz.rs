//! `cargo xtask fuzz [TARGET…]`: builds the targets of `fuzz/` with coverage on the stable toolchain, runs each for some
//! seconds, and says what came of it.
//!
//! The targets are those of `fuzz/Cargo.toml`, in the layout of cargo-fuzz: whoever has a nightly toolchain can use that,
//! too. What a target must hold is in the target; nothing is judged here but whether it crashed.

mod build;
mod run;
mod stats;
mod table;
mod targets;

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Result, bail};

use crate::workspace;
use run::Outcome;
use targets::Target;

/// How `cargo xtask fuzz` explains itself.
const MORE: &str = "\
Each target feeds bytes to one parser and checks what must hold for any bytes: what is read writes back the same, places \
are inside the text, nothing hidden is shown. libFuzzer mutates the inputs and keeps those that reach new code.

  fuzz/fuzz_targets/TARGET.rs   what is checked
  fuzz/corpus/TARGET/           inputs to begin with, and every input that ever crashed it: committed
  target/fuzz/corpus/TARGET/    inputs that were found: kept for the next run, not committed
  target/fuzz/crashes/TARGET/   inputs that crash it

The exit code is 1 if any target crashed. Then: look at the input, mend the parser with a test beside it, and put the input \
into fuzz/corpus/TARGET/ under a name that says what it showed.

Examples:
  cargo xtask fuzz                                      every target for 60 seconds
  cargo xtask fuzz --seconds 600 config_yaml            one target for longer
  cargo xtask fuzz --input target/fuzz/crashes/config_yaml/crash-12ab config_yaml
                                                        one input once, with what it breaks
  cargo xtask fuzz --list                               the targets";

/// What `cargo xtask fuzz` takes.
#[derive(clap::Args)]
#[command(after_long_help = MORE)]
pub(crate) struct Args {
    /// The targets to run; all of them if none is named.
    targets: Vec<String>,
    /// How many seconds each target runs.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many targets run at a time; one for each core unless given.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Run the one target named on this input alone, once, and show what it says.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seconds", "jobs"])]
    input: Option<PathBuf>,
    /// Print the targets and end.
    #[arg(long)]
    list: bool,
}

/// Builds and runs what was asked for.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let folder = workspace::root().join("fuzz");
    let all = targets::read(&folder)?;
    if args.list {
        all.iter().for_each(|target| println!("{}", target.name));
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = targets::choose(&all, &args.targets)?;
    let to = workspace::target_dir()?.join("fuzz");
    let binaries = build::build(&folder, &to, &chosen)?;
    if let Some(input) = &args.input {
        let [target] = chosen.as_slice() else {
            bail!("--input is for one target; name it: cargo xtask fuzz --input FILE TARGET");
        };
        return run::once(&binaries, target, input);
    }
    let limit = Duration::from_secs(args.seconds);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let outcomes = all_of(&chosen, args.jobs.unwrap_or(cores), |target| {
        run::run(&run::Place::new(&folder, &to, &binaries, target), limit)
    })?;
    print!("{}", table::render(&outcomes));
    let crashed: Vec<&Outcome> = outcomes.iter().filter(|o| o.crashed()).collect();
    for outcome in &crashed {
        eprint!("{}", run::explain(outcome));
    }
    Ok(if crashed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Runs all of them, so many at a time; what came of each, in their order.
fn all_of(
    chosen: &[&Target],
    jobs: usize,
    run: impl Fn(&Target) -> Result<Outcome> + Sync,
) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, chosen.len().max(1)) {
            scope.spawn(|| {
                while let Some((at, target)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    chosen.get(at).map(|target| (at, target))
                } {
                    let outcome = run(target);
                    if let Ok(outcome) = &outcome {
                        eprintln!("[{}/{}] {}", at + 1, chosen.len(), outcome.line());
                    }
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((at, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}
