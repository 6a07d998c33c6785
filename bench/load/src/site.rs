//! Where one benchmark works: its folder on a real disk, the options, and the fixed roles of the machine's cores.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::disk;
use crate::options::Options;

/// The core that a pinned server has for itself; the load and the upstream take [`LOAD_CORE`].
pub(crate) const SERVER_CORE: usize = 0;
/// The core of the load generator, where a benchmark pins it.
pub(crate) const LOAD_CORE: usize = 1;

/// File descriptors that the 10,000 watchers need on either side, with room to spare.
const OPEN_FILES: u64 = 12_000;

/// One benchmark's folder and options.
pub(crate) struct Site<'a> {
    /// The command line's options.
    pub(crate) options: &'a Options,
    /// The benchmark's name.
    pub(crate) bench: &'static str,
    /// The name of the file system under [`Site::dir`].
    pub(crate) file_system: String,
    root: PathBuf,
}

impl<'a> Site<'a> {
    /// Makes the benchmark's folder empty, checks its file system and raises the limit on open files.
    pub(crate) fn prepare(bench: &'static str, options: &'a Options) -> Result<Self> {
        let data = options
            .data
            .clone()
            .unwrap_or_else(|| beside_harness("../bench/run"));
        let root = data.join(bench);
        if root.exists() {
            std::fs::remove_dir_all(&root)
                .with_context(|| format!("cannot clear {}", root.display()))?;
        }
        std::fs::create_dir_all(&root)
            .with_context(|| format!("cannot make {}", root.display()))?;
        let root = root.canonicalize()?;
        let file_system = disk::file_system(&root)?;
        raise_open_files()?;
        Ok(Self {
            options,
            bench,
            file_system,
            root,
        })
    }

    /// An empty folder of this name for one server's turn.
    pub(crate) fn dir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.root.join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        std::fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    /// The measured window.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.options.seconds)
    }
}

/// A path from the folder of this harness (target/release).
pub(crate) fn beside_harness(relative: &str) -> PathBuf {
    let harness = std::env::current_exe().unwrap_or_default();
    harness.parent().unwrap_or(&harness).join(relative)
}

/// Raises the limit to what the system allows; servers started from here inherit it.
fn raise_open_files() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Some(maximum) = limit.maximum.filter(|maximum| *maximum < OPEN_FILES) {
        bail!("only {maximum} open files are allowed: run `ulimit -Hn {OPEN_FILES}` as root first");
    }
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit on open files")
}
