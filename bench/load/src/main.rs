//! The load harness: each subsystem beside its peers in one run, in CPU microseconds per operation and as ratios.
//!
//! One benchmark is one module ([`gateway`], [`registry`], [`configs`], [`store`], [`log`], [`idle`]); what they share is one file each:
//! starting and stopping a server, what it used, a lean HTTP client, the load loop, rounds and medians, the report. It
//! is run as `cargo xtask bench <which>`, writes its section of `bench/RESULTS.md`, and keeps nothing running.
#![expect(
    clippy::disallowed_methods,
    reason = "a load harness measures real time"
)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks to its terminal"
)]

mod audience;
mod configs;
mod disk;
mod etcd;
mod figures;
mod gateway;
mod guildhall;
mod http;
mod idle;
mod load;
mod log;
mod machine;
mod options;
mod program;
mod registry;
mod report;
mod rnacos;
mod rounds;
mod server;
mod site;
mod store;
mod tasks;
mod usage;
mod window;

use std::process::ExitCode;

use clap::Parser;

use options::{Cli, Which};

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guildhall-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let (name, bench): (_, fn(&site::Site) -> anyhow::Result<report::Section>) = match &cli.which {
        Which::Gateway(_) => ("gateway", gateway::run),
        Which::Registry(_) => ("registry", registry::run),
        Which::Configs(_) => ("configs", configs::run),
        Which::Store(_) => ("store", store::run),
        Which::Log(_) => ("log", log::run),
        Which::Idle(_) => ("idle", idle::run),
        Which::EmbeddedStore(options) => return store::embedded::child(options),
        Which::LogChild(options) => return log::child::child(options),
    };
    let Some(options) = cli.which.options() else {
        return Ok(());
    };
    let site = site::Site::prepare(name, options)?;
    let section = bench(&site)?;
    report::publish(&section, options)
}
