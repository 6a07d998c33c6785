//! The control role on this node: a store and the control plane over it, exchanged as one when a snapshot is restored.

use std::{
    fs::File,
    future::Future,
    io::{self, BufReader},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use guildhall_control::{Control, Options};
use guildhall_core::{
    policy::report::{Received, Report, ReportError, ReportSink},
    source::{SnapshotSource, Update},
};
use guildhall_store::{
    Snapshot, SnapshotError, Store,
    embedded::{Embedded, OpenError, Options as StoreOptions, Restored},
};
use tokio::sync::{Mutex, watch};

/// The store's directory under the data directory.
const STORE: &str = "store";
/// Where a snapshot is restored before it takes the store's place.
const INCOMING: &str = "store.incoming";
/// Where what a restore replaced is kept until the next one.
const REPLACED: &str = "store.replaced";

/// What uploaded snapshots begin with.
const UPLOAD: &str = "restore.upload.";

/// Why the control role did not start or restore.
#[derive(Debug, thiserror::Error)]
pub enum PlaneError {
    /// The store did not open.
    #[error("the control store did not open: {0}")]
    Open(#[from] OpenError),
    /// The control plane did not start.
    #[error("the control plane did not start: {0}")]
    Control(#[from] guildhall_control::Error),
    /// A directory could not be moved or removed.
    #[error("cannot {action} {path}: {cause}; check the data directory")]
    Directory {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The thread that worked on it ended.
    #[error("the work on the store was given up: {0}")]
    GivenUp(#[from] tokio::task::JoinError),
    /// There is no store at the moment.
    #[error("the control plane is being started or stopped; try again in a moment")]
    Away,
}

/// A store and the control plane over it.
struct Running {
    control: Control,
    store: Arc<Embedded>,
}

/// The control role.
pub(crate) struct Plane {
    directory: PathBuf,
    store_options: StoreOptions,
    options: Options,
    running: ArcSwapOption<Running>,
    /// Counts exchanges; closed once there will be no more.
    exchanges: watch::Sender<u64>,
    /// One restore at a time.
    restoring: Mutex<()>,
    /// Snapshots that were sent here so far.
    uploads: AtomicU64,
}

impl Plane {
    /// Opens the store under `directory` and starts the control plane.
    pub(crate) async fn start(
        directory: PathBuf,
        store_options: StoreOptions,
        options: Options,
    ) -> Result<Arc<Self>, PlaneError> {
        let plane = Self {
            directory,
            store_options,
            options,
            running: ArcSwapOption::empty(),
            exchanges: watch::Sender::new(0),
            restoring: Mutex::new(()),
            uploads: AtomicU64::new(0),
        };
        plane.recover_exchange()?;
        forget_uploads(&plane.directory)?;
        plane.open().await?;
        Ok(Arc::new(plane))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A restore that was cut off between its two renames left no store, only what it replaced.
    fn recover_exchange(&self) -> Result<(), PlaneError> {
        let (store, replaced) = (self.path(STORE), self.path(REPLACED));
        if !store.exists() && replaced.exists() {
            tracing::warn!("a restore was cut off: the store that it was to replace is used again");
            rename(&replaced, &store)?;
        }
        Ok(())
    }

    async fn open(&self) -> Result<(), PlaneError> {
        let (path, options) = (self.path(STORE), self.store_options.clone());
        let store =
            Arc::new(tokio::task::spawn_blocking(move || Embedded::open(path, options)).await??);
        let control = Control::start(store.clone(), self.options.clone()).await?;
        self.running
            .store(Some(Arc::new(Running { control, store })));
        self.exchanges.send_modify(|count| *count += 1);
        Ok(())
    }

    /// The control plane, while there is one.
    pub(crate) fn control(&self) -> Option<Control> {
        self.running
            .load()
            .as_ref()
            .map(|running| running.control.clone())
    }

    /// A snapshot of the store.
    pub(crate) async fn save(&self) -> Result<Snapshot, SnapshotError> {
        let running = self.running.load_full();
        let Some(running) = running else {
            return Err(SnapshotError::Unavailable(
                guildhall_store::Unavailable::Stopped,
            ));
        };
        running.store.snapshot().await
    }

    /// Where an uploaded snapshot is kept until it has been restored: each in a file of its own, because two may arrive
    /// at once.
    pub(crate) fn upload(&self) -> PathBuf {
        let number = self.uploads.fetch_add(1, Ordering::Relaxed);
        self.path(&format!("{UPLOAD}{number}"))
    }

    /// Replaces everything by the snapshot in `file`. A snapshot that is not whole changes nothing.
    pub(crate) async fn restore(&self, file: PathBuf) -> Result<Restored, PlaneError> {
        let _alone = self.restoring.lock().await;
        let (directory, options) = (self.directory.clone(), self.store_options.clone());
        let restored =
            tokio::task::spawn_blocking(move || unpack(&directory, &options, &file)).await??;
        self.close().await;
        let exchanged = exchange(&self.directory);
        // Whatever happened, a store stands in its place again: the new one, or the one from before.
        self.open().await?;
        exchanged.map(|()| restored)
    }

    /// Lets the control plane finish and closes the store.
    async fn close(&self) {
        let Some(running) = self.running.swap(None) else {
            return;
        };
        running.control.stop().await;
        // Closing joins the store's threads, which waits for the disk.
        let _ = tokio::task::spawn_blocking(move || drop(running)).await;
    }

    /// Stops the control plane, so that watches end, while the store stays open for calls under way.
    pub(crate) async fn hush(&self) {
        if let Some(running) = self.running.load_full() {
            running.control.stop().await;
        }
    }

    /// Ends the role.
    pub(crate) async fn stop(&self) {
        let _alone = self.restoring.lock().await;
        self.exchanges.send_replace(u64::MAX);
        self.close().await;
    }

    /// A taker of reports, across restores.
    pub(crate) fn sink(self: &Arc<Self>) -> PlaneSink {
        PlaneSink(self.clone())
    }

    /// All documents and their changes, across restores.
    pub(crate) fn source(self: &Arc<Self>) -> PlaneSource {
        PlaneSource {
            exchanges: self.exchanges.subscribe(),
            plane: self.clone(),
            current: None,
        }
    }
}

/// Replaces the store of a node that is not running by the snapshot in `file`: the way back when a damaged store keeps
/// the node from starting. A snapshot that is not whole changes nothing; what it replaced stays in `store.replaced`.
pub(super) fn restore_stopped(directory: &Path, file: &Path) -> Result<Restored, PlaneError> {
    let restored = unpack(directory, &StoreOptions::default(), file)?;
    exchange(directory)?;
    Ok(restored)
}

/// Makes a store of the snapshot in `file`, beside the one that is there.
fn unpack(directory: &Path, options: &StoreOptions, file: &Path) -> Result<Restored, PlaneError> {
    let incoming = directory.join(INCOMING);
    remove(&incoming)?;
    let snapshot = File::open(file).map_err(|cause| failed("open", file, cause))?;
    Ok(Embedded::restore(
        incoming,
        options,
        BufReader::new(snapshot),
    )?)
}

/// Puts the incoming store in the place of the one that is there.
fn exchange(directory: &Path) -> Result<(), PlaneError> {
    let [store, incoming, replaced] = [STORE, INCOMING, REPLACED].map(|name| directory.join(name));
    if !store.exists() {
        return rename(&incoming, &store);
    }
    remove(&replaced)?;
    rename(&store, &replaced)?;
    rename(&incoming, &store).inspect_err(|_| drop(rename(&replaced, &store)))
}

/// Removes snapshots that were on their way when the node was killed.
fn forget_uploads(directory: &Path) -> Result<(), PlaneError> {
    let entries = std::fs::read_dir(directory).map_err(|cause| failed("list", directory, cause))?;
    for entry in entries.filter_map(Result::ok) {
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(UPLOAD.as_bytes())
        {
            let path = entry.path();
            std::fs::remove_file(&path).map_err(|cause| failed("remove", &path, cause))?;
        }
    }
    Ok(())
}

fn failed(action: &'static str, path: &Path, cause: io::Error) -> PlaneError {
    PlaneError::Directory {
        action,
        path: path.to_owned(),
        cause,
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), PlaneError> {
    std::fs::rename(from, to).map_err(|cause| failed("rename", from, cause))?;
    // The rename counts only once the directory that holds both is on disk.
    let parent = to.parent().unwrap_or(to);
    File::open(parent)
        .and_then(|parent| parent.sync_all())
        .map_err(|cause| failed("sync", parent, cause))
}

fn remove(path: &Path) -> Result<(), PlaneError> {
    match std::fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, cause)),
        _ => Ok(()),
    }
}

/// The control plane of this node as a taker of reports, across restores.
pub(crate) struct PlaneSink(Arc<Plane>);

impl ReportSink for PlaneSink {
    fn report(
        &mut self,
        report: Report,
    ) -> Pin<Box<dyn Future<Output = Result<Received, ReportError>> + Send + '_>> {
        Box::pin(async move {
            match self.0.control() {
                Some(control) => control.fleet().sink().report(report).await,
                None => Err(ReportError::Away(PlaneError::Away.to_string())),
            }
        })
    }
}

/// The control plane of this node as a source; a restore looks like a gap.
pub(crate) struct PlaneSource {
    plane: Arc<Plane>,
    exchanges: watch::Receiver<u64>,
    current: Option<guildhall_control::watch::Source>,
}

impl PlaneSource {
    async fn update(&mut self) -> Option<Update> {
        loop {
            if let Some(current) = &mut self.current {
                match current.next().await {
                    Some(update) => return Some(update),
                    None => self.current = None,
                }
            }
            if *self.exchanges.borrow_and_update() == u64::MAX {
                return None;
            }
            match self.plane.control().map(|control| control.source()) {
                Some(Ok(source)) => self.current = Some(source),
                Some(Err(error)) => {
                    tracing::warn!(%error, "the gateway gets no documents; trying again");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
                None => self.exchanges.changed().await.ok()?,
            }
        }
    }
}

impl SnapshotSource for PlaneSource {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Update>> + Send + '_>> {
        Box::pin(self.update())
    }
}
