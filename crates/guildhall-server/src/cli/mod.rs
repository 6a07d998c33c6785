//! The command line: one file per command.
//!
//! A command gets a [`Context`] (the server, the namespace, how to print) and answers with nothing or a [`Failure`],
//! which says what happened, why, and the next move, and carries the exit code. Tables are for people, `-o json|yaml`
//! for programs. Nothing here knows more of the platform than its API, apart from `server`, `settings` and `demo`.

mod apply;
mod breakers;
mod child;
mod completions;
mod config;
mod context;
mod delete;
mod diff;
mod drift;
mod exit;
mod export;
mod failure;
mod get;
mod graph;
mod history;
mod impact;
mod inline;
mod instances;
mod limits;
mod lock;
mod manifest;
mod output;
mod policy;
mod register;
mod rollback;
mod server;
mod services;
mod settings;
mod snapshot;
mod status;
mod watch;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use context::{Connection, Context};
pub(crate) use exit::Exit;
pub(crate) use failure::Failure;
pub(crate) use server::end_with_stdin;

use crate::demo;

/// What every page of help ends with.
const EXAMPLES: &str = "\
Examples:
  guildhall demo                                   see everything at work, on this machine
  guildhall server --data-dir ./data               run a platform
  guildhall apply -f shop.yaml                     define services, routes, …
  guildhall register --service web --port 8000 -- python3 -m http.server 8000
  guildhall instances web                          where is it, and is it well?
  guildhall graph                                  who depends on whom?

The server is --server or GUILDHALL_SERVER, http://127.0.0.1:7420 if neither is given.
`guildhall help exit-codes` lists what the exit codes mean.";

/// Governs a fleet of services: registry, discovery, routes and locks from one binary.
#[derive(Debug, Parser)]
#[command(name = "guildhall", version, about, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Server(server::Server),
    Status(status::Status),
    Apply(apply::Apply),
    Get(get::Get),
    Delete(delete::Delete),
    Diff(diff::Diff),
    Export(export::Export),
    History(history::History),
    Rollback(rollback::Rollback),
    Config(config::Config),
    Services(services::Services),
    Instances(instances::Instances),
    Watch(watch::Watch),
    Breakers(breakers::Breakers),
    Limits(limits::Limits),
    Policy(policy::Policy),
    Graph(graph::Graph),
    Impact(impact::Impact),
    Lock(lock::Lock),
    Snapshot(snapshot::Snapshot),
    Register(register::Register),
    Settings(settings::Settings),
    Completions(completions::Completions),
    Demo(demo::Arguments),
    #[command(hide = true)]
    ExitCodes(exit::ExitCodes),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            // Nothing can be done when not even this can be written.
            let _ = error.print();
            return code.into();
        }
    };
    match dispatch(cli) {
        Ok(code) => code,
        Err(failure) => {
            failure.print();
            failure.exit_code()
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, Failure> {
    let Cli {
        connection,
        command,
    } = cli;
    match command {
        Command::Server(server) => server.run()?,
        Command::Settings(settings) => settings.run()?,
        Command::Completions(completions) => completions.run()?,
        Command::ExitCodes(codes) => codes.run()?,
        Command::Demo(arguments) => {
            return demo::run(arguments).map_err(|error| {
                Failure::new(Exit::Failure, "the demo was broken off").why(format!("{error:#}"))
            });
        }
        command => {
            let context = connection.context()?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| {
                    Failure::new(Exit::Failure, "the runtime cannot be started").why(error)
                })?;
            runtime.block_on(call(command, context))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The commands that call a server.
async fn call(command: Command, context: Context) -> Result<(), Failure> {
    match command {
        Command::Status(status) => status.run(context).await,
        Command::Apply(apply) => apply.run(context).await,
        Command::Get(get) => get.run(context).await,
        Command::Delete(delete) => delete.run(context).await,
        Command::Diff(diff) => diff.run(context).await,
        Command::Export(export) => export.run(context).await,
        Command::History(history) => history.run(context).await,
        Command::Rollback(rollback) => rollback.run(context).await,
        Command::Config(config) => config.run(context).await,
        Command::Services(services) => services.run(context).await,
        Command::Instances(instances) => instances.run(context).await,
        Command::Breakers(breakers) => breakers.run(context).await,
        Command::Limits(limits) => limits.run(context).await,
        Command::Policy(policy) => policy.run(context).await,
        Command::Watch(watch) => watch.run(context).await,
        Command::Graph(graph) => graph.run(context).await,
        Command::Impact(impact) => impact.run(context).await,
        Command::Lock(lock) => lock.run(context).await,
        Command::Snapshot(snapshot) => snapshot.run(context).await,
        Command::Register(register) => register.run(context).await,
        // The others need no server, and were run before there was a runtime.
        Command::Server(_)
        | Command::Settings(_)
        | Command::Completions(_)
        | Command::Demo(_)
        | Command::ExitCodes(_) => Ok(()),
    }
}
