//! A Redis of a test's own, to be killed, held still and started again.

use std::{
    env, fs,
    io::{self, BufReader, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// How often a server that starts is looked at, and how many times.
const LOOK: (Duration, u32) = (Duration::from_millis(5), 4000);

/// A running `redis-server` that keeps nothing on disk and listens on a Unix socket; killed when dropped.
#[derive(Debug)]
pub struct Redis {
    process: Child,
    directory: PathBuf,
}

impl Redis {
    /// Starts one, and waits until it answers.
    ///
    /// # Errors
    /// There is no `redis-server` here (scripts/setup installs it), or it does not start.
    pub fn start() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Short: the path of a socket has 107 bytes at most.
        let name = format!(
            "gh-redis-{}-{}",
            process::id(),
            NUMBER.fetch_add(1, Relaxed)
        );
        let directory = env::temp_dir().join(name);
        fs::create_dir_all(&directory)?;
        let process = spawn(&directory)?;
        let mut redis = Self { process, directory };
        redis.wait()?;
        Ok(redis)
    }

    /// Its address, as clients take it.
    pub fn url(&self) -> String {
        format!("unix://{}", socket(&self.directory).display())
    }

    /// Sends a command, words without spaces, and returns the reply's lines without their marks.
    ///
    /// # Errors
    /// It did not answer within ten seconds.
    pub fn command(&self, words: &str) -> io::Result<Vec<String>> {
        let mut stream = UnixStream::connect(socket(&self.directory))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(format!("{words}\r\n").as_bytes())?;
        let mut lines = Vec::new();
        reply(&mut BufReader::new(stream), &mut lines)?;
        Ok(lines)
    }

    /// How many clients are connected.
    ///
    /// # Errors
    /// It did not answer.
    pub fn clients(&self) -> io::Result<usize> {
        let list = self.command("CLIENT LIST")?;
        // One of them asked.
        Ok(list.iter().filter(|line| line.starts_with("id=")).count() - 1)
    }

    /// Kills it: it forgets everything.
    ///
    /// # Errors
    /// The system refused.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Starts it again, at the same address, after a [kill](Self::kill).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> io::Result<()> {
        self.process = spawn(&self.directory)?;
        self.wait()
    }

    /// Holds it still: it takes connections, and answers nothing.
    ///
    /// # Errors
    /// The system refused.
    pub fn hold(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// The system refused.
    pub fn go_on(&self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        let id = id.ok_or_else(|| io::Error::other("the process has no id"))?;
        Ok(kill_process(id, signal)?)
    }

    fn wait(&mut self) -> io::Result<()> {
        for _ in 0..LOOK.1 {
            if let Some(status) = self.process.try_wait()? {
                return Err(io::Error::other(format!(
                    "redis-server has ended: {status}"
                )));
            }
            if self.command("PING").is_ok_and(|reply| reply == ["PONG"]) {
                return Ok(());
            }
            thread::sleep(LOOK.0);
        }
        Err(io::Error::other("redis-server does not answer"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Gone already, if it was killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn socket(directory: &Path) -> PathBuf {
    directory.join("redis.sock")
}

fn spawn(directory: &Path) -> io::Result<Child> {
    // What is left of one that was killed would look like the new one's.
    let _ = fs::remove_file(socket(directory));
    let started = Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"])
        .arg(directory)
        .arg("--unixsocket")
        .arg(socket(directory))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.map_err(|error| {
        let next = "redis-server is needed to check limits that Redis counts: apt-get install redis-server (scripts/setup does)";
        io::Error::new(error.kind(), format!("{next}: {error}"))
    })
}

/// Reads one reply, arrays item by item.
fn reply(from: &mut impl io::BufRead, lines: &mut Vec<String>) -> io::Result<()> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let (Some(mark), rest) = (
        line.chars().next(),
        line.get(1..).unwrap_or_default().trim_end(),
    ) else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let length = || rest.parse::<usize>().ok();
    match mark {
        '*' => (0..length().unwrap_or(0)).try_for_each(|_| reply(from, lines)),
        '$' => {
            let Some(length) = length() else {
                return Ok(());
            };
            let mut text = vec![0; length + 2];
            from.read_exact(&mut text)?;
            text.truncate(length);
            lines.extend(String::from_utf8_lossy(&text).lines().map(str::to_owned));
            Ok(())
        }
        _ => {
            lines.push(rest.to_owned());
            Ok(())
        }
    }
}
