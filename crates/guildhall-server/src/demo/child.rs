//! One process of the demo: its command, its log, its end.
//!
//! A child holds the reading end of a pipe as its stdin and ends when that is closed, which happens when the demo goes
//! away, however it goes: nothing is left behind even if it is killed. Children are no part of the terminal's process
//! group, so that Ctrl-C reaches the demo alone, which then stops them in order.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{ChildStdin, Command};

/// How much of a log's end is looked at for its last lines.
const TAIL: u64 = 16 << 10;

/// How to start a process of the demo.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    /// What it is called: in messages, and its log.
    pub(super) name: String,
    /// The arguments of the `guildhall` binary.
    pub(super) arguments: Vec<OsString>,
    /// Where its output goes; appended to.
    pub(super) log: PathBuf,
}

/// A process of the demo.
pub(super) struct Child {
    spec: Spec,
    process: tokio::process::Child,
    /// Closed when it is dropped. Tokio would close it as soon as somebody waits for the child.
    _lifeline: Option<ChildStdin>,
}

impl Spec {
    /// Starts `program`, which is this binary.
    pub(super) fn start(&self, program: &Path) -> io::Result<Child> {
        let log = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.log)?;
        let mut command = Command::new(program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log);
        // What the caller's shell says of another platform is not meant for these.
        for (name, _) in std::env::vars_os()
            .filter(|(name, _)| name.as_encoded_bytes().starts_with(b"GUILDHALL"))
        {
            command.env_remove(name);
        }
        let mut process = command
            .env("NO_COLOR", "1")
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let lifeline = process.stdin.take();
        Ok(Child {
            spec: self.clone(),
            process,
            _lifeline: lifeline,
        })
    }
}

impl Child {
    /// What it is called.
    pub(super) fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its process id, while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<String> {
        let status = self.process.try_wait().ok()??;
        Some(format!("{} has ended: {status}", self.spec.name))
    }

    /// SIGKILL: it gets no chance to say or to tidy anything.
    pub(super) async fn kill(&mut self) -> io::Result<ExitStatus> {
        self.process.start_kill()?;
        self.process.wait().await
    }

    /// SIGTERM, and SIGKILL if it has not ended by `deadline`; then the answer is false.
    pub(super) async fn stop(&mut self, deadline: Duration) -> io::Result<bool> {
        let Some(id) = self
            .process
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
        else {
            return Ok(true);
        };
        // It is not reaped yet, so that the id is still its own.
        kill_process(id, Signal::TERM)?;
        match tokio::time::timeout(deadline, self.process.wait()).await {
            Ok(ended) => ended.map(|_| true),
            Err(_) => self.kill().await.map(|_| false),
        }
    }

    /// The last lines of its log.
    pub(super) fn last_lines(&self, most: usize) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.spec.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut bytes = Vec::new();
            file.take(TAIL).read_to_end(&mut bytes)?;
            Ok(last_lines(&String::from_utf8_lossy(&bytes), most))
        };
        read().unwrap_or_else(|error| format!("{}: {error}", self.spec.log.display()))
    }
}

fn last_lines(text: &str, most: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(most)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, folder: &Path) -> Child {
        let arguments = ["-c", script].map(OsString::from).to_vec();
        let spec = Spec {
            name: "sh".to_owned(),
            arguments,
            log: folder.join("sh.log"),
        };
        spec.start(Path::new("/bin/sh")).unwrap()
    }

    #[tokio::test]
    async fn a_child_that_listens_is_stopped_and_one_that_does_not_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let mut good = shell(
            "trap 'echo bye; exit 0' TERM; echo up; read x",
            folder.path(),
        );
        super::super::wait::until(Duration::from_secs(10), async || {
            match good.last_lines(1).as_str() {
                "up" => Ok(()),
                other => Err(other.to_owned().into()),
            }
        })
        .await
        .unwrap();
        assert!(good.stop(Duration::from_secs(10)).await.unwrap());
        assert_eq!(good.last_lines(5), "up\nbye");
        assert!(good.stop(Duration::from_secs(10)).await.unwrap());

        let mut deaf = shell("trap '' TERM; echo deaf; read x", folder.path());
        super::super::wait::until(Duration::from_secs(10), async || {
            match deaf.last_lines(1).as_str() {
                "deaf" => Ok(()),
                other => Err(other.to_owned().into()),
            }
        })
        .await
        .unwrap();
        assert!(!deaf.stop(Duration::from_millis(50)).await.unwrap());
        assert!(deaf.ended().unwrap().starts_with("sh has ended: signal: 9"));
    }

    #[tokio::test]
    async fn a_child_ends_with_whoever_started_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = shell("read x; echo alone", folder.path());
        child._lifeline = None;
        child.process.wait().await.unwrap();
        assert_eq!(child.last_lines(1), "alone");
    }

    #[test]
    fn the_last_lines_are_the_last() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
        assert_eq!(last_lines("", 2), "");
    }
}
