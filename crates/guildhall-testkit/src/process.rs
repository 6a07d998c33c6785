//! A part of a test as a process of its own, to be killed at any moment.
//!
//! The worker is a test of the same binary that does nothing unless it was started by [`Worker::spawn`]:
//!
//! ```no_run
//! use guildhall_testkit::process::{Worker, argument, report};
//!
//! #[test]
//! fn worker() {
//!     let Some(directory) = argument() else { return };
//!     // … work in `directory`, and say what was acknowledged:
//!     report("42");
//! }
//!
//! #[test]
//! fn survives_a_kill() -> std::io::Result<()> {
//!     let mut worker = Worker::spawn("worker", "/some/directory")?;
//!     let first = worker.next_report();
//!     let others = worker.kill()?; // SIGKILL; what it had reported by then
//!     Ok(())
//! }
//! ```

use std::{
    env,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdout, Command, Stdio},
};

/// Carries the argument to the worker.
const VARIABLE: &str = "GUILDHALL_TEST_WORKER";

/// What a report begins with, as the test harness writes lines of its own.
const MARK: char = '\u{1}';

/// A running worker; killed when dropped.
pub struct Worker {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts the test with this full name (`module::test`) of the running binary, with an argument for it.
    ///
    /// # Errors
    /// The process could not be started.
    pub fn spawn(test: &str, argument: &str) -> io::Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["--exact", test, "--nocapture", "--test-threads", "1"])
            .env(VARIABLE, argument)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("the worker has no output"))?;
        Ok(Self {
            process,
            output: BufReader::new(output),
        })
    }

    /// The next report, waited for; `None` when the worker has ended. A report that was cut off by a kill is none.
    pub fn next_report(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let report = line
                .split_once(MARK)
                .and_then(|(_, report)| report.strip_suffix('\n'));
            if let Some(report) = report {
                return Some(report.to_owned());
            }
        }
    }

    /// Kills the worker with SIGKILL and returns what it had reported and was not read yet.
    ///
    /// # Errors
    /// It could not be killed, or had already failed by itself.
    pub fn kill(mut self) -> io::Result<Vec<String>> {
        if let Some(status) = self.process.try_wait()?
            && !status.success()
        {
            return Err(io::Error::other(format!("the worker failed: {status}")));
        }
        self.process.kill()?;
        self.process.wait()?;
        Ok(std::iter::from_fn(|| self.next_report()).collect())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Gone already, if it was killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The argument that the worker was spawned with; `None` in a test run that nobody spawned.
pub fn argument() -> Option<String> {
    env::var(VARIABLE).ok()
}

/// Reports a line to whoever spawned this worker. It has left the process when this returns. A worker that nobody
/// listens to any more, because its test was stopped, ends here.
pub fn report(line: &str) {
    let mut output = io::stdout().lock();
    let told = output
        .write_all(format!("{MARK}{line}\n").as_bytes())
        .and_then(|()| output.flush());
    if told.is_err() {
        std::process::exit(1);
    }
}
