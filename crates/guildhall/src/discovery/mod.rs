//! Whom to call, known locally.
//!
//! For each service that is asked for there is one watch on the platform, restricted to that
//! service, and one copy on disk: a change to another service wakes nobody here, and a start
//! without the platform begins with the copy.
//!
//! - [`callee`]: which service is meant.
//! - [`endpoints`]: pure: instances to endpoints, with their loads and latencies.
//! - [`directory`]: what is known of one service, as it changes.

mod callee;
mod directory;
mod endpoints;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(crate) use callee::Callee;
pub(crate) use directory::{Directory, Known};
pub(crate) use endpoints::{Endpoint, Endpoints, Fleet, Placed};
use guildhall_api::{
    client::{Client, WatchScope},
    source::{RemoteSource, SourceOptions},
    wire::path::encode,
};
use guildhall_core::document::{Kind, Namespace, ServiceName};
use tokio::sync::watch;

use crate::task::Task;

/// How long the platform is given at a start before the copy on disk is used: a call waits for it.
const PATIENCE: Duration = Duration::from_millis(300);

/// All services that were asked for.
#[derive(Default)]
pub(crate) struct Discovery(Mutex<State>);

#[derive(Default)]
struct State {
    stage: Stage,
    directories: BTreeMap<Callee, Arc<Directory>>,
    tasks: Vec<Task<()>>,
    stop: watch::Sender<bool>,
}

/// Whether services can be watched.
#[derive(Default)]
enum Stage {
    /// Not started: directories are only noted.
    #[default]
    Early,
    /// Directories are watched.
    On(Feed),
    /// There is no platform, or the service has stopped.
    Off,
}

/// Where directories come from.
#[derive(Clone)]
pub(crate) struct Feed {
    pub(crate) client: Client,
    pub(crate) namespace: Namespace,
    /// The zone to prefer.
    pub(crate) zone: Option<String>,
    /// Where the copies are kept.
    pub(crate) cache: Option<PathBuf>,
    /// Whose copies they are.
    pub(crate) owner: ServiceName,
}

impl Discovery {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a service; begins to watch it.
    pub(crate) fn directory(&self, callee: &Callee) -> Arc<Directory> {
        let mut state = self.state();
        if let Some(directory) = state.directories.get(callee) {
            return directory.clone();
        }
        let directory = Arc::new(Directory::new(callee.clone()));
        state.directories.insert(callee.clone(), directory.clone());
        state.launch(&directory);
        directory
    }

    /// Names that were asked for and are none.
    pub(crate) fn bad_names(&self) -> Vec<String> {
        let state = self.state();
        let bad = state
            .directories
            .keys()
            .filter_map(|callee| callee.service().err());
        bad.map(|error| format!("client: {error}")).collect()
    }

    /// Begins to watch what was asked for; without a feed there is nobody to ask.
    pub(crate) fn start(&self, feed: Option<Feed>) {
        let mut state = self.state();
        state.stage = feed.map_or(Stage::Off, Stage::On);
        let directories: Vec<_> = state.directories.values().cloned().collect();
        directories
            .iter()
            .for_each(|directory| state.launch(directory));
    }

    /// Stops watching and waits until the copies are written.
    pub(crate) async fn stop(&self) {
        let tasks = {
            let mut state = self.state();
            state.stage = Stage::Off;
            state.stop.send_replace(true);
            std::mem::take(&mut state.tasks)
        };
        for task in tasks {
            task.join().await;
        }
    }
}

impl State {
    fn launch(&mut self, directory: &Arc<Directory>) {
        let callee = directory.callee();
        let (Stage::On(feed), Ok(service)) = (&self.stage, callee.service()) else {
            if matches!(self.stage, Stage::Off) {
                directory.tell(Known::Off);
            }
            return;
        };
        directory.tell(Known::Waiting);
        let scope = WatchScope {
            kinds: vec![Kind::Service, Kind::Instance],
            namespace: Some(callee.namespace(&feed.namespace).clone()),
            service: Some(service),
        };
        let cache = feed
            .cache
            .as_deref()
            .map(|folder| file(folder, feed, callee));
        let options = SourceOptions {
            cache,
            patience: PATIENCE,
            ..SourceOptions::default()
        };
        let source = RemoteSource::start(feed.client.clone(), scope, options);
        let follow = directory
            .clone()
            .follow(source, feed.clone(), self.stop.subscribe());
        self.tasks.push(Task::spawn(follow));
    }
}

/// The file of the copy: one for each owner and each service it asks for. The slash of a service of another namespace is
/// written otherwise than anything in a name.
fn file(folder: &Path, feed: &Feed, callee: &Callee) -> PathBuf {
    let name = format!(
        "{}.{}.{}.cache",
        feed.namespace,
        encode(feed.owner.as_str()),
        encode(callee.as_str())
    );
    folder.join(name)
}
