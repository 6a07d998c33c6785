//! What others call.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use guildhall_core::{
    access::{Caller, Denied, Verb, authorize},
    document::{Index, Namespace},
    policy::report::{
        BreakerRow, FleetStatistics, LimitRow, Received, Report, ReportError, ReportSink,
        ReportedBy,
    },
};
use guildhall_resilience::breaker::State;
use tokio::sync::watch;

use super::{
    BreakerFilter, FleetOptions, Pair,
    board::{Board, Full},
    shares::may_hold,
};
use crate::{Error, clock, control::Shared};

/// How long changes are gathered before those who wait for them look again.
const GATHERED: Duration = Duration::from_millis(50);

/// What is known, and who waits for it to change.
pub(crate) struct Known {
    board: Mutex<Board>,
    options: FleetOptions,
    /// Which memory this is: another process, or this one started again, has another.
    incarnation: u64,
    revision: watch::Sender<u64>,
    waiting: AtomicUsize,
}

/// The fleet's breakers and limits, as they were reported. Cheap to clone.
#[derive(Clone)]
pub struct Fleet {
    pub(crate) shared: Arc<Shared>,
}

/// Breakers, and where they stand.
#[derive(Clone, Debug)]
pub struct Breakers {
    /// By caller and target.
    pub items: Vec<Arc<BreakerRow>>,
    /// The fleet's own index: what to wait with next time. Documents have another.
    pub index: Index,
}

/// Counts one that waits until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Known {
    pub(crate) fn new(options: FleetOptions) -> Self {
        let board = Board::new(options.clone(), clock::now());
        Self {
            revision: watch::Sender::new(board.revision()),
            board: Mutex::new(board),
            options,
            incarnation: u64::from(fastrand::u32(1..)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Others can reach it from now on: it begins to wait for those who hold to what is divided.
    pub(crate) fn open(&self) {
        *self.lock() = Board::new(self.options.clone(), clock::now());
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the board and wakes those who wait, if there is something new.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Board) -> T) -> T {
        let mut board = self.lock();
        let changed = change(&mut board);
        let revision = board.revision();
        drop(board);
        self.revision.send_if_modified(|known| {
            let news = revision > *known;
            *known = revision.max(*known);
            news
        });
        changed
    }

    fn index(&self, revision: u64) -> Index {
        Index {
            incarnation: self.incarnation,
            revision,
        }
    }
}

impl Fleet {
    /// Takes a report in, from whoever may write where the reporter is: a gateway, which is in no namespace, must be
    /// allowed to write in all. Answers what the reporter's parts are of limits that it holds to together with others.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Invalid`], [`Error::TooManyReports`].
    pub fn report(&self, caller: &Caller, mut report: Report) -> Result<Received, Error> {
        authorize(
            caller,
            Verb::Write,
            None,
            report.reporter.namespace.as_ref(),
            None,
        )?;
        report.validate()?;
        // What it cannot hold to by its policies, or by none that is known here, is a limit of its own.
        let mut state = None;
        for limit in &mut report.limits {
            if let Some(shared) = limit.shared() {
                let state = state.get_or_insert_with(|| self.shared.view.load());
                if !may_hold(state, &report.reporter, &shared) {
                    limit.share = None;
                }
            }
        }
        let now = clock::moment();
        let known = &self.shared.fleet;
        known
            .change(|board| board.take(report, now))
            .map_err(|full| match full {
                Full::Reporters(most) => Error::TooManyReports {
                    most,
                    what: "reporters",
                },
                Full::Entries(most) => Error::TooManyReports {
                    most,
                    what: "breakers and limits",
                },
            })
    }

    /// The breakers that `filter` selects. Whoever may read some namespaces only sees theirs when asking for all.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn breakers(&self, caller: &Caller, filter: &BreakerFilter) -> Result<Breakers, Error> {
        let mut sight = Sight::of(caller, filter.namespace.as_ref())?;
        let known = &self.shared.fleet;
        let sees = |row: &BreakerRow| sight.sees(&row.caller, Some(&row.breaker.target.namespace));
        let (items, revision) = known.lock().breakers(filter, sees);
        Ok(Breakers {
            items,
            index: known.index(revision),
        })
    }

    /// The limits that `filter` selects, as far as the caller may see them.
    ///
    /// # Errors
    /// [`Error::Denied`].
    pub fn limits(
        &self,
        caller: &Caller,
        filter: &BreakerFilter,
    ) -> Result<Vec<Arc<LimitRow>>, Error> {
        let mut sight = Sight::of(caller, filter.namespace.as_ref())?;
        let sees = |row: &LimitRow| sight.sees(&row.caller, row.limit.namespace());
        Ok(self.shared.fleet.lock().limits(filter, sees))
    }

    /// The long poll: waits until something that `filter` selects is not as it was at `since`, at most for `wait`.
    ///
    /// Answers at once without `since`, and if it is of another memory or above the present index. Changes of a moment
    /// come together.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::TooManyWatchers`], [`Error::Stopped`].
    pub async fn changed(
        &self,
        caller: &Caller,
        filter: &BreakerFilter,
        since: Option<Index>,
        wait: Duration,
    ) -> Result<Breakers, Error> {
        let known = &self.shared.fleet;
        let mut revision = known.revision.subscribe();
        let now = self.breakers(caller, filter)?;
        let Some(since) = since.filter(|since| *since == now.index) else {
            return Ok(now);
        };
        let most = known.options.waiting;
        let before = known.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&known.waiting);
        if before >= most {
            return Err(Error::TooManyWatchers { most });
        }
        let news = async {
            loop {
                // The sender is in the memory that is asked.
                let _ = revision.changed().await;
                tokio::time::sleep(GATHERED).await;
                revision.mark_unchanged();
                let now = self.breakers(caller, filter)?;
                if now.index != since {
                    return Ok(now);
                }
            }
        };
        tokio::select! {
            changed = tokio::time::timeout(wait, news) => changed.unwrap_or(Ok(now)),
            () = self.shared.stop.cancelled() => Err(Error::Stopped),
        }
    }

    /// The fleet in numbers.
    pub fn statistics(&self) -> FleetStatistics {
        self.shared.fleet.lock().statistics()
    }

    /// How many breakers of each pair of callers and called are in each state, in the order of `State::ALL`: at most
    /// `most` pairs, and how many there are beyond them.
    pub fn pairs(&self, most: usize) -> (BTreeMap<Pair, [usize; State::ALL.len()]>, usize) {
        self.shared.fleet.lock().pairs(most)
    }

    /// Takes reports of this process, as the system.
    pub fn sink(&self) -> impl ReportSink + use<> {
        OwnSink(self.clone())
    }
}

/// What a caller sees: all, or what has a side in a namespace that it may read.
struct Sight<'a> {
    caller: &'a Caller,
    whole: bool,
    remembered: HashMap<Namespace, bool>,
}

impl<'a> Sight<'a> {
    /// An error if the caller may see nothing in `namespace`.
    fn of(caller: &'a Caller, namespace: Option<&Namespace>) -> Result<Self, Denied> {
        let whole = match authorize(caller, Verb::Read, None, namespace, None) {
            Ok(()) => true,
            Err(_) if namespace.is_none() && !caller.grants.is_empty() => false,
            Err(denied) => return Err(denied),
        };
        Ok(Self {
            caller,
            whole,
            remembered: HashMap::new(),
        })
    }

    /// `limited` is the namespace of what is called, or of what a limit is on.
    fn sees(&mut self, by: &ReportedBy, limited: Option<&Namespace>) -> bool {
        let Self {
            caller,
            whole,
            remembered,
        } = self;
        let mut may = |namespace: &Namespace| {
            *remembered.entry(namespace.clone()).or_insert_with(|| {
                authorize(caller, Verb::Read, None, Some(namespace), None).is_ok()
            })
        };
        *whole || limited.is_some_and(&mut may) || by.namespace.as_ref().is_some_and(may)
    }
}

struct OwnSink(Fleet);

impl ReportSink for OwnSink {
    fn report(
        &mut self,
        report: Report,
    ) -> Pin<Box<dyn Future<Output = Result<Received, ReportError>> + Send + '_>> {
        let taken = self.0.report(&Caller::system("report"), report);
        let taken = taken.map_err(|error| ReportError::Away(error.to_string()));
        Box::pin(std::future::ready(taken))
    }
}
