//! Repository chores, run as `cargo xtask <chore>`: `tidy` checks what the compiler and clippy cannot, `bench` builds
//! and runs the load harness, `fuzz` the fuzz targets.
//!
//! Nothing here is shipped. A chore is one file; the rules of `tidy` are one file each under `tidy/`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to its terminal"
)]

mod bench;
mod fuzz;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Repository chores of Guildhall.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check the rules that the compiler cannot: dependency directions, file headers, paths in documents, clocks.
    Tidy,
    /// Build the server and the load harness, and run one benchmark beside its peers.
    Bench(bench::Args),
    /// Feed the parsers with bytes that nobody wrote, and check what must hold for any of them.
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().chore {
        Chore::Tidy => tidy::run(),
        Chore::Bench(args) => bench::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
