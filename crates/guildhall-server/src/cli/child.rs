//! A program that a command runs in its place: signals go on to it, its exit code comes back.

use std::{
    ffi::OsString,
    io,
    os::unix::process::ExitStatusExt,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    process::{Child as Process, Command},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{Exit, Failure};

/// The signals that go on to the program, as the system's and as tokio's.
const FORWARDED: [(Signal, SignalKind); 6] = [
    (Signal::TERM, SignalKind::terminate()),
    (Signal::INT, SignalKind::interrupt()),
    (Signal::HUP, SignalKind::hangup()),
    (Signal::QUIT, SignalKind::quit()),
    (Signal::USR1, SignalKind::user_defined1()),
    (Signal::USR2, SignalKind::user_defined2()),
];

/// A running program.
pub(super) struct Child {
    process: Process,
    pid: Option<Pid>,
    /// Whether it leads a process group of its own.
    leads: bool,
}

impl Child {
    /// Starts `command` with `variables` added to its environment; it shares the terminal.
    pub(super) fn start(
        command: &[OsString],
        variables: &[(&str, String)],
    ) -> Result<Self, Failure> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(Failure::new(Exit::Usage, "no program is given").next("write it after --"));
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::inherit())
            .kill_on_drop(true);
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        // A Ctrl-C reaches everyone in the terminal's group at once, but the program is to be told only after others
        // stopped sending it work. Without a terminal it gets a group of its own.
        let leads = !io::IsTerminal::is_terminal(&io::stdin());
        if leads {
            command.process_group(0);
        }
        let process = command.spawn().map_err(|error| {
            Failure::new(
                Exit::Failure,
                format!("{} cannot be started", program.display()),
            )
            .why(error)
        })?;
        let pid = process
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self {
            process,
            pid,
            leads,
        })
    }

    /// Sends it a signal; one that has ended gets none.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // It may have ended a moment ago, which is what was wanted.
            let _ = kill_process(pid, signal);
        }
    }

    /// Sends a signal to the processes that it started and did not wait for, once it has ended itself: a shell passes no
    /// signals on. On a terminal they share this command's group, and the terminal tells them.
    pub(super) fn signal_left_behind(&self, signal: Signal) {
        if let (true, Some(group)) = (self.leads, self.pid) {
            // Most programs leave nobody.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Waits for its end. Cancel-safe.
    pub(super) async fn wait(&mut self) -> Result<ExitStatus, Failure> {
        let status = self.process.wait().await;
        status.map_err(|error| {
            Failure::new(Exit::Failure, "the program cannot be waited for").why(error)
        })
    }

    /// Asks it to end, and ends it if it has not within `patience`.
    pub(super) async fn end(&mut self, patience: Duration) -> Result<ExitStatus, Failure> {
        self.signal(Signal::TERM);
        let ended = match tokio::time::timeout(patience, self.wait()).await {
            Ok(status) => status,
            Err(_) => {
                self.signal(Signal::KILL);
                self.wait().await
            }
        };
        self.signal_left_behind(Signal::TERM);
        ended
    }
}

/// How a program ended, as the command that ran it ends.
pub(super) fn outcome(status: ExitStatus) -> Result<(), Failure> {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(1);
    match u8::try_from(code).unwrap_or(1) {
        0 => Ok(()),
        code => Err(Failure::silent(code)),
    }
}

/// Whether a signal asks a program to end.
pub(super) fn ends(signal: Signal) -> bool {
    matches!(
        signal,
        Signal::TERM | Signal::INT | Signal::HUP | Signal::QUIT
    )
}

/// The signals that reach this process and are meant for the program.
pub(super) struct Signals(mpsc::Receiver<Signal>);

impl Signals {
    /// Takes the signals from here on.
    pub(super) fn take() -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel(16);
        for (name, kind) in FORWARDED {
            let mut signals = signal(kind).map_err(|error| {
                Failure::new(Exit::Failure, "signals cannot be taken").why(error)
            })?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() && sender.send(name).await.is_ok() {}
            });
        }
        Ok(Self(receiver))
    }

    /// The next one. Cancel-safe.
    pub(super) async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}
