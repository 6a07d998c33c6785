//! The whole evening: places are found, the story is told, everything stays up or not, and all processes end.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    arguments::Arguments,
    cast::Cast,
    farewell::farewell,
    places::{self, Directory, Ports},
    report::Report,
    story::{self, Stage},
};
use crate::clock;

/// How many lines of each log are shown when something did not hold.
const LINES: usize = 12;

/// Runs the demo.
pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(play(arguments))
}

async fn play(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let Arguments {
        once,
        keep,
        data_dir,
        part: _,
    } = arguments;
    // From here on a signal ends the demo in order.
    let mut signals = Signals::listen().context("signals cannot be listened for")?;
    let mut random = fastrand::Rng::new();
    let program = std::env::current_exe().context("this program cannot be found on disk")?;
    let (ports, missed) =
        Ports::take(!once, places::is_free, &mut random).context("no ports can be had")?;
    let directory = Directory::open(data_dir, &mut random)
        .context("the demo's directory cannot be made; choose one with --data-dir")?;
    let colours = io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut report = Report::new(Box::new(io::stdout()), colours);
    missed.iter().for_each(|line| report.note(line));

    let began = clock::now();
    let mut stage = Stage::new(Cast::new(program, directory, ports))?;
    let told = tokio::select! {
        told = story::tell(&mut stage, &mut report) => Some(told),
        () = signals.asked_to_stop() => None,
    };
    let (held, failed) = report.counts();
    if failed > 0 {
        report.line("\nThe last lines of the logs:");
        let lines = stage.cast.last_lines(LINES);
        report.line(&lines);
    }
    match told {
        Some(_) => {
            let took = (clock::now() - began).as_secs_f64();
            report.line(&format!(
                "\n{held} checks held, {failed} did not, in {took:.1} s."
            ));
        }
        None => report.line("\nInterrupted."),
    }
    if !once && matches!(told, Some(Ok(()))) {
        report.line(&farewell(&stage));
        signals.asked_to_stop().await;
    }

    report.line("\nStopping everything …");
    let killed = tokio::select! {
        killed = stage.cast.stop() => killed,
        // Who asks again does not want to wait: what is left is killed when it is dropped.
        () = signals.asked_to_stop() => Vec::new(),
    };
    if !killed.is_empty() {
        report.line(&format!(
            "did not stop in time and were killed: {}",
            killed.join(", ")
        ));
    }
    let all_held = failed == 0 && matches!(told, Some(Ok(()))) && killed.is_empty();
    let directory = stage.cast.close();
    let path = directory.path.clone();
    if directory.close(keep || failed > 0) {
        report.line(&format!("Data and logs are in {}", path.display()));
    }
    let well = all_held || (!once && failed == 0 && killed.is_empty());
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The signals that ask the demo to stop.
struct Signals([Signal; 3]);

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            // The terminal was closed.
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn asked_to_stop(&mut self) {
        let Self([interrupt, terminate, hangup]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
