//! The harness's command line. What a default is and why stands at each option.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Guildhall beside its peers.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub(crate) struct Cli {
    /// The benchmark.
    #[command(subcommand)]
    pub(crate) which: Which,
}

/// The benchmarks.
#[derive(Subcommand)]
pub(crate) enum Which {
    /// One proxy worker, 64 keep-alive connections, 1 KiB bodies: Guildhall, nginx, HAProxy, Envoy, Caddy.
    Gateway(Options),
    /// Registrations, discovery, watchers, 100,000 instances: Guildhall, etcd, rnacos.
    Registry(Options),
    /// Publishes, reads, 10,000 listeners and what they cost: Guildhall, etcd, rnacos.
    Configs(Options),
    /// Durable puts by 1, 64 and 512 clients, also on a disk with slow syncs: guildhall-store, etcd.
    Store(Options),
    /// Durable appends by 1, 64 and 512 writers, and reopening after a crash: guildhall-log, the disk alone.
    Log(Options),
    /// What a server that does nothing costs, and how fast it is there: Guildhall, etcd, rnacos.
    Idle(Options),
    /// The embedded store's side of `store`, in a process of its own.
    #[command(hide = true)]
    EmbeddedStore(EmbeddedStore),
    /// One turn of `log`, in a process of its own.
    #[command(hide = true)]
    LogChild(LogChild),
}

impl Which {
    /// The options, for what is a benchmark.
    pub(crate) fn options(&self) -> Option<&Options> {
        match self {
            Self::Gateway(options)
            | Self::Registry(options)
            | Self::Configs(options)
            | Self::Store(options)
            | Self::Log(options)
            | Self::Idle(options) => Some(options),
            Self::EmbeddedStore(_) | Self::LogChild(_) => None,
        }
    }
}

/// What every benchmark takes.
#[derive(Args)]
pub(crate) struct Options {
    /// Print the section and leave bench/RESULTS.md as it is.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Turns each peer gets (A B C A B C); a figure is the median of them.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Length of one measured window. CPU times are counted in hundredths of a second, so under 2 s they are coarse.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) seconds: f64,
    /// Only these peers, by the beginning of their names.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// The guildhall binary; without it, the one beside this harness.
    #[arg(long)]
    pub(crate) guildhall: Option<PathBuf>,
    /// Where servers keep their data and logs, on a real file system; without it, target/bench/run.
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
    /// The file that holds the results.
    #[arg(long, default_value = "bench/RESULTS.md")]
    pub(crate) results: PathBuf,
    /// Only these parts of the benchmark, by the beginning of their names (registry, configs and store have several).
    #[arg(long, value_delimiter = ',')]
    pub(crate) parts: Vec<String>,
}

impl Options {
    /// Whether `--only` leaves this peer in.
    pub(crate) fn wants_peer(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let begins = |only: &String| name.starts_with(&only.to_ascii_lowercase());
        self.only.is_empty() || self.only.iter().any(begins)
    }

    /// Whether `--parts` leaves this part in.
    pub(crate) fn wants_part(&self, name: &str) -> bool {
        self.parts.is_empty()
            || self
                .parts
                .iter()
                .any(|part| name.starts_with(part.as_str()))
    }
}

/// What the embedded store's process is told.
#[derive(Args)]
pub(crate) struct EmbeddedStore {
    /// An empty folder.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// Concurrent clients, one put in flight each.
    #[arg(long)]
    pub(crate) clients: usize,
    /// Length of the measured window.
    #[arg(long)]
    pub(crate) seconds: f64,
}

/// What a process of the log's benchmark is told.
#[derive(Args)]
pub(crate) struct LogChild {
    /// The log's folder.
    #[arg(long)]
    pub(crate) dir: PathBuf,
    /// What to do there.
    #[arg(long, value_enum)]
    pub(crate) work: LogWork,
    /// Concurrent writers, one append in flight each.
    #[arg(long)]
    pub(crate) writers: usize,
    /// Length of the measured window.
    #[arg(long)]
    pub(crate) seconds: f64,
}

/// What a process of the log's benchmark does.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum LogWork {
    /// One page, one fdatasync, in a growing file.
    RawGrowing,
    /// The same in a file whose blocks were written before.
    RawWritten,
    /// Appends to the first segment of a log.
    First,
    /// Appends to recycled segments.
    Recycled,
    /// Fills a log and waits to be killed.
    Fill,
    /// Opens a log.
    Open,
}
