//! A server process of the benchmark: started with its own folder, pinned where asked, waited for until it answers, and
//! stopped by its process id. It never outlives the harness: the kernel kills it with us.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::usage::{self, Usage};

/// How long a server may take to answer; rnacos with a large journal is the slowest.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end once asked, before it is killed.
const STOP: Duration = Duration::from_secs(5);
/// Between two looks at a server that is not there yet: it bounds the error of a measured start.
const LOOK: Duration = Duration::from_millis(1);

/// How a server is to be started.
pub(crate) struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    log: PathBuf,
    core: Option<usize>,
    wrapper: Vec<OsString>,
}

impl Launch {
    /// A program whose output goes to `log` under `dir`.
    pub(crate) fn new(program: &Path, dir: &Path) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log: dir.join("log"),
            core: None,
            wrapper: Vec::new(),
        }
    }

    /// Adds arguments.
    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Keeps the server on one core.
    pub(crate) fn pin(mut self, core: usize) -> Self {
        self.core = Some(core);
        self
    }

    /// Runs the server under another program that executes it (its process id stays).
    pub(crate) fn under(mut self, wrapper: Vec<OsString>) -> Self {
        self.wrapper = wrapper;
        self
    }

    /// Starts the server and waits until `ready` holds.
    ///
    /// # Errors
    ///
    /// Where it does not start, ends early or does not answer in time; the message names its log.
    pub(crate) fn start(&self, ready: impl Fn() -> bool) -> Result<Server> {
        let started = Instant::now();
        let mut server = Server {
            child: self.spawn()?,
            log: self.log.clone(),
            ready_after: Duration::ZERO,
        };
        while !ready() {
            if let Some(status) = server.child.try_wait()? {
                bail!(
                    "{} ended at once ({status}): see {}",
                    self.program.display(),
                    self.log.display()
                );
            }
            if started.elapsed() > START {
                bail!(
                    "{} does not answer: see {}",
                    self.program.display(),
                    self.log.display()
                );
            }
            std::thread::sleep(LOOK);
        }
        server.ready_after = started.elapsed();
        Ok(server)
    }

    fn spawn(&self) -> Result<Child> {
        let mut line: Vec<OsString> = ["setpriv", "--pdeathsig", "KILL", "--"]
            .map(Into::into)
            .into();
        if let Some(core) = self.core {
            line.extend(["taskset", "-c"].map(Into::into));
            line.push(core.to_string().into());
        }
        line.extend(self.wrapper.iter().cloned());
        line.push(self.program.clone().into());
        let log = File::options().create(true).append(true).open(&self.log)?;
        Command::new(&line[0])
            .args(&line[1..])
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.log.parent().unwrap_or(Path::new("/")))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))
    }
}

/// A running server. Dropping it stops it.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    ready_after: Duration,
}

impl Server {
    /// From its start until it answered.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        usage::of(self.child.id()).with_context(|| format!("see {}", self.log.display()))
    }

    /// Ends it as a power cut ends a process: at once.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, waits, and kills it where asking did not help.
    fn stop(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > STOP {
                self.child.kill()?;
                self.child.wait()?;
                break;
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("could not stop process {}: {error:#}", self.child.id());
        }
    }
}

/// A loopback address whose port nobody has at the moment. Programs that take port 0 are better started with that.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Whether a GET of this path is answered with success.
pub(crate) fn answers(address: SocketAddr, path: &str) -> bool {
    get(address, path)
        .is_ok_and(|reply| reply.starts_with("HTTP/1.1 200") || reply.starts_with("HTTP/1.0 200"))
}

/// One GET on a connection of its own: the whole reply, head included.
pub(crate) fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    )?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}
