//! `guildhall server`: runs a node until it is told to stop.

use std::{
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Failure};
use crate::{
    logging,
    platform::{Platform, StartError},
    settings::{Flag, Layers, Loaded, Settings},
};

const EXAMPLES: &str = "\
Examples:
  guildhall server                                         everything, on this machine only
  guildhall server --config /etc/guildhall/guildhall.toml
  guildhall server --api-listen 0.0.0.0:7420 --token-file tokens.toml
  guildhall server --role gateway --control http://10.0.0.1:7420

Flags override GUILDHALL__SECTION__KEY variables, which override the file. `guildhall settings reference` explains
every setting. SIGTERM and SIGINT stop it in order, a second one at once; SIGHUP reads the token file and the
certificate again.";

/// Run a node of the platform
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Server {
    #[command(flatten)]
    given: Given,
    /// Ends when stdin is closed: for whoever starts a server as a child and must not leave it behind
    #[arg(long, hide = true)]
    until_stdin_closes: bool,
}

/// Settings on the command line.
#[derive(Debug, Args)]
pub(super) struct Given {
    /// A TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything durable lives [default: guildhall-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// What this node does, separated by commas [default: all roles]
    #[arg(long, value_name = "LIST")]
    role: Option<String>,
    /// Where a node without the control role gets its documents, separated by commas
    #[arg(long, value_name = "URL")]
    control: Option<String>,
    /// Tokens and their scopes; needed beyond this machine
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
    /// Allows the API beyond this machine without authentication
    #[arg(long)]
    insecure: bool,
    /// Where the API listens; port 0 takes a free one [default: 127.0.0.1:7420]
    #[arg(long, value_name = "ADDR")]
    api_listen: Option<String>,
    /// Where traffic comes in; port 0 takes a free one [default: 0.0.0.0:8080]
    #[arg(long, value_name = "ADDR")]
    gateway_listen: Option<String>,
    /// Worker threads of the gateway [default: one per core]
    #[arg(long, value_name = "N")]
    gateway_workers: Option<String>,
    /// The least level that is logged [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How log lines are written: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Any other setting
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl Given {
    /// Reads all layers, with these flags on top.
    pub(super) fn load(self) -> Result<Loaded, Failure> {
        let insecure = self.insecure.then(|| "true".to_owned());
        let given = [
            ("--data-dir", "server.data_dir", self.data_dir),
            ("--role", "server.roles", self.role),
            ("--control", "server.control", self.control),
            ("--token-file", "auth.token_file", self.token_file),
            ("--insecure", "server.insecure", insecure),
            ("--api-listen", "api.listen", self.api_listen),
            ("--gateway-listen", "gateway.listen", self.gateway_listen),
            ("--gateway-workers", "gateway.workers", self.gateway_workers),
            ("--log-level", "log.level", self.log_level),
            ("--log-format", "log.format", self.log_format),
        ];
        let flag = |flag: &str, setting: &str, text| Flag {
            flag: flag.to_owned(),
            setting: setting.to_owned(),
            text,
        };
        let mut flags: Vec<Flag> = given
            .into_iter()
            .filter_map(|(name, setting, text)| Some(flag(name, setting, text?)))
            .collect();
        for set in &self.set {
            let Some((setting, text)) = set.split_once('=') else {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("--set {set} is not SECTION.KEY=VALUE"),
                )
                .next("write for example --set log.access=true"));
            };
            flags.push(flag("--set", setting, text.to_owned()));
        }
        Ok(Layers::of_process(self.config, flags)?.load()?)
    }
}

impl Server {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Loaded { settings, .. } = self.given.load()?;
        logging::start(&settings.log)
            .map_err(|error| Failure::new(Exit::Usage, "log lines cannot be set up").why(error))?;
        raise_file_limit();
        if self.until_stdin_closes {
            end_with_stdin();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("guildhall")
            .build()
            .map_err(|error| {
                Failure::new(Exit::Failure, "the runtime cannot be started").why(error)
            })?;
        let data_dir = settings.server.data_dir.clone();
        let served = runtime.block_on(serve(settings));
        runtime.shutdown_timeout(Duration::from_secs(1));
        served.map_err(|error| failed(error, &data_dir))
    }
}

/// Runs a node from its start to its end.
async fn serve(settings: Settings) -> Result<(), StartError> {
    // Taken before the start: a signal that comes while the store is being read is not missed.
    let mut signals = Signals::take();
    let mut hangup = signal(SignalKind::hangup()).ok();
    let platform = tokio::select! {
        started = Platform::builder().settings(settings).start() => started?,
        word = signals.stop() => {
            tracing::info!(signal = word, "stopped before it was ready");
            return Ok(());
        }
    };
    let addresses = platform.addresses();
    tracing::info!(
        api = addresses.api.map(tracing::field::display),
        gateway = addresses.gateway.map(tracing::field::display),
        data_dir = %platform.settings().server.data_dir.display(),
        version = env!("CARGO_PKG_VERSION"),
        "ready"
    );
    let word = loop {
        tokio::select! {
            word = signals.stop() => break word,
            () = next(&mut hangup) => {
                tracing::info!("SIGHUP: looking at the token file and the certificate");
                platform.reload();
            }
        }
    };
    tracing::info!(signal = word, "stopping");
    // Who asks twice does not want to wait.
    tokio::select! {
        () = platform.stop() => tracing::info!("stopped"),
        word = signals.stop() => tracing::warn!(signal = word, "stopped at once"),
    }
    Ok(())
}

fn failed(error: StartError, data_dir: &Path) -> Failure {
    match error {
        StartError::Settings(error) => error.into(),
        error => {
            let failure = Failure::new(Exit::Failure, "the node did not start");
            let failure = match error.is_damage() {
                true => failure.next(format!(
                    "guildhall snapshot restore FILE --data-dir {} brings back a snapshot; what is there now is kept beside it",
                    data_dir.display()
                )),
                false => failure,
            };
            failure.why(error)
        }
    }
}

/// The signals that ask to stop. One that cannot be taken keeps its usual meaning.
struct Signals {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Signals {
    fn take() -> Self {
        Self {
            terminate: signal(SignalKind::terminate()).ok(),
            interrupt: signal(SignalKind::interrupt()).ok(),
        }
    }

    /// Waits for one, and names it.
    async fn stop(&mut self) -> &'static str {
        tokio::select! {
            () = next(&mut self.terminate) => "SIGTERM",
            () = next(&mut self.interrupt) => "SIGINT",
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Each connection takes a file descriptor, and the usual soft limit of 1,024 is for programs that know no better.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

/// Ends the process when whoever started it goes away, however that happens.
pub(crate) fn end_with_stdin() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        // Nobody is left to tell, and what is acknowledged is on disk.
        process::exit(0);
    });
}
