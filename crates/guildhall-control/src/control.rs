//! The control plane as one thing: its start, its stop, and what all its parts share.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use guildhall_core::access::Caller;
use guildhall_core::document::Index;
use guildhall_store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::audit::{Action, Audit, Outcome};
use crate::checks::{self, Board, CheckStatistics};
use crate::clock;
use crate::config::{self, Configs, Contents, Rendered};
use crate::documents::{Documents, Pages};
use crate::duty::{self, Duty};
use crate::fleet::{self, Fleet};
use crate::history::History;
use crate::locks::Locks;
use crate::policies::Policies;
use crate::registry::Registry;
use crate::status::Transitions;
use crate::view::{self, State, View};
use crate::watch::{self, Hub, HubStatistics, Polled, Scope, Source, Subscription};
use crate::{Error, Options};

/// How many events may wait for those in this process that follow everything: a burst that no
/// client could keep up with must not make them read all documents again.
const OWN_QUEUE: usize = 1 << 16;

/// The running control plane. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

/// What the parts share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) options: Options,
    pub(crate) view: Arc<View>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) audit: Audit,
    pub(crate) pages: Pages,
    pub(crate) contents: Contents,
    pub(crate) rendered: Rendered,
    pub(crate) schemas: config::Schemas,
    pub(crate) listeners: config::ListenerTable,
    pub(crate) board: Board,
    pub(crate) transitions: Transitions,
    pub(crate) duty: Duty,
    pub(crate) fleet: fleet::Known,
    pub(crate) stop: CancellationToken,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// How the control plane is.
#[derive(Clone, Debug)]
pub struct ControlStatus {
    /// The index of the state that readers see.
    pub index: Index,
    /// Documents there are.
    pub documents: usize,
    /// Stored documents or statuses that could not be read and are not shown; the log names them.
    pub unreadable: usize,
    /// How the store is.
    pub store: guildhall_store::Status,
    /// Watchers, and what was done for them.
    pub watches: HubStatistics,
    /// Checks, and what was done for them.
    pub checks: CheckStatistics,
    /// Listeners of configuration that are known here.
    pub listeners: usize,
    /// Whether this process does the background duties.
    pub on_duty: bool,
    /// Audit records that the sink could not take.
    pub audit_lost: u64,
}

impl Control {
    /// Reads the state from `store` and starts the tasks. Answers once readers see everything
    /// that was committed before, and this process has taken up the background duties, unless
    /// another one has them.
    ///
    /// # Errors
    /// Those of reading the store.
    pub async fn start(store: Arc<dyn Store>, options: Options) -> Result<Self, Error> {
        let hub = Arc::new(Hub::new(options.watch.clone()));
        let (view, folding) = view::start(&*store, &hub).await?;
        let shared = Arc::new(Shared {
            audit: Audit::new(options.audit.clone()),
            pages: Pages::default(),
            contents: Contents::new(options.config.cache),
            rendered: Rendered::new(options.config.cache),
            schemas: config::Schemas::default(),
            listeners: config::ListenerTable::new(&options.config),
            board: Board::new(options.checks.clone()),
            transitions: Transitions::new(options.status.waiting),
            duty: Duty::new("checks", options.duty.clone()),
            fleet: fleet::Known::new(options.fleet.clone()),
            stop: CancellationToken::new(),
            tasks: Mutex::new(Vec::new()),
            view: Arc::new(view),
            store,
            options,
            hub,
        });
        let control = Self { shared };
        let shared = &control.shared;
        control.spawn(view::run(
            Arc::clone(&shared.store),
            Arc::clone(&shared.view),
            Arc::clone(&shared.hub),
            folding,
            shared.stop.clone(),
        ));
        duty::first(shared).await;
        control.spawn(duty::run(Arc::clone(shared)));
        let instances = control.system_watch(checks::scope())?;
        control.spawn(checks::run(Arc::clone(shared), instances));
        control.spawn(crate::status::run(Arc::clone(shared)));
        shared.fleet.open();
        control.spawn(fleet::run(Arc::clone(shared)));
        let files = control.system_watch(config::scope())?;
        control.spawn(config::run(Arc::clone(shared), files));
        Ok(control)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let task = tokio::spawn(task);
        self.shared
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(task);
    }

    /// Stops the tasks and ends every watch; transitions that wait are written first. The store
    /// stays open: it is its opener's.
    pub async fn stop(&self) {
        self.shared.stop.cancel();
        let tasks = std::mem::take(
            &mut *self
                .shared
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the control plane failed");
            }
        }
        duty::release(&self.shared).await;
    }

    /// Documents of every kind.
    pub fn documents(&self) -> Documents {
        Documents {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Files of configuration.
    pub fn configs(&self) -> Configs {
        Configs {
            shared: Arc::clone(&self.shared),
        }
    }

    /// The versions of documents.
    pub fn history(&self) -> History {
        History {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Services, versions, instances.
    pub fn registry(&self) -> Registry {
        Registry {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Locks.
    pub fn locks(&self) -> Locks {
        Locks {
            shared: Arc::clone(&self.shared),
        }
    }

    /// What gateways and SDKs report of their breakers and limits.
    pub fn fleet(&self) -> Fleet {
        Fleet {
            shared: Arc::clone(&self.shared),
        }
    }

    /// What policies come to.
    pub fn policies(&self) -> Policies {
        Policies {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Everything there is, as of the latest index that was folded.
    pub fn state(&self) -> Arc<State> {
        self.shared.view.load()
    }

    /// Waits until the state covers `index`: for reading one's own writes. An index of a history
    /// that the store no longer has is not waited for. How long to wait is the caller's to bound.
    ///
    /// # Errors
    /// [`Error::Stopped`].
    pub async fn wait_for(&self, index: Index) -> Result<Arc<State>, Error> {
        self.shared.view.wait_for(&*self.shared.store, index).await
    }

    /// Watches a scope: everything in it, then its changes; or only the changes after `from`.
    ///
    /// Where those are no longer known, the first event is a `resync`.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::TooManyWatchers`], [`Error::Stopped`].
    pub async fn watch(
        &self,
        caller: &Caller,
        scope: Scope,
        from: Option<Index>,
    ) -> Result<Subscription, Error> {
        self.catch_up(from).await?;
        let Shared {
            hub, view, options, ..
        } = &*self.shared;
        Subscription::open(hub, view.cell(), caller, scope, from, options.watch.queue)
    }

    /// The long poll: waits until a key in scope was touched after `since`, at most for `wait`.
    ///
    /// Answers at once without `since`, if something was touched after it already, and if it is
    /// of another incarnation or above the current index.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::TooManyWatchers`], [`Error::Stopped`].
    pub async fn changed(
        &self,
        caller: &Caller,
        scope: &Scope,
        since: Option<Index>,
        wait: Duration,
    ) -> Result<Polled, Error> {
        self.catch_up(since).await?;
        let Shared { hub, view, .. } = &*self.shared;
        watch::changed(hub, view.cell(), caller, scope, since, wait).await
    }

    /// A position that the store has reached but the view has not is the caller's own write:
    /// it is waited for, so that no index goes backwards.
    async fn catch_up(&self, position: Option<Index>) -> Result<(), Error> {
        match position.filter(|position| self.shared.store.index().covers(*position)) {
            Some(position) => self.wait_for(position).await.map(drop),
            None => Ok(()),
        }
    }

    /// All documents and their changes, for a gateway in this process.
    ///
    /// # Errors
    /// [`Error::TooManyWatchers`].
    pub fn source(&self) -> Result<Source, Error> {
        self.system_watch(Scope::all()).map(Source::new)
    }

    fn system_watch(&self, scope: Scope) -> Result<Subscription, Error> {
        let system = Caller::system("control");
        let Shared { hub, view, .. } = &*self.shared;
        Subscription::open(hub, view.cell(), &system, scope, None, OWN_QUEUE)
    }

    /// Records that `caller` asked to replace everything by a snapshot. Whoever exchanges the store says so here: no
    /// control plane outlives the exchange.
    pub fn record_restore(&self, caller: &Caller, outcome: Outcome) {
        let at = clock::wall();
        self.shared
            .audit
            .everything(caller, Action::Restore, outcome, at);
    }

    /// How it is.
    pub fn status(&self) -> ControlStatus {
        let state = self.state();
        ControlStatus {
            index: state.index,
            documents: state.documents.len(),
            unreadable: self.shared.view.unreadable(),
            store: self.shared.store.status(),
            watches: self.shared.hub.statistics(),
            checks: self.shared.board.statistics(),
            listeners: self.shared.listeners.count(),
            on_duty: self.shared.duty.fence().is_some(),
            audit_lost: self.shared.audit.lost(),
        }
    }
}
