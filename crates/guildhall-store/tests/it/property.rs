//! Random lives of a store, step by step beside the model.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use guildhall_store::{
    CompactError, Compare, Condition, LeaseError, LeaseId, Op, Range, Transaction, WatchItem,
    embedded::{HistoryOptions, Offline, Options},
};
use proptest::prelude::*;

use crate::{
    model::{INCARNATION, Model, next},
    support::{Disks, small},
};

#[derive(Clone, Debug)]
enum Step {
    /// Transactions that share one sync.
    Group(Vec<Draft>),
    Grant {
        seconds: u64,
    },
    KeepAlive {
        lease: u64,
    },
    Revoke {
        lease: u64,
    },
    Pass {
        seconds: u64,
    },
    Compact {
        back: u64,
    },
    Checkpoint,
    Reopen,
    /// Reads in pages while other steps go on: begins, or takes the next page.
    Page {
        limit: usize,
    },
}

/// A transaction whose numbers are still relative.
#[derive(Clone, Debug)]
struct Draft {
    compare: Vec<(u8, DraftCondition)>,
    /// Key, and what to put under which lease, or nothing to delete.
    then: BTreeMap<u8, Option<(u8, Option<u64>)>>,
}

#[derive(Clone, Debug)]
enum DraftCondition {
    Absent,
    Present,
    /// How the entry is now, but for this much.
    Created(u64),
    Modified(u64),
    Version(u64),
    Value(u8),
    Lease(Option<u64>),
}

fn draft() -> impl Strategy<Value = Draft> {
    let condition = prop_oneof![
        Just(DraftCondition::Absent),
        Just(DraftCondition::Present),
        (0..2u64).prop_map(DraftCondition::Created),
        (0..2u64).prop_map(DraftCondition::Modified),
        (0..2u64).prop_map(DraftCondition::Version),
        (0..4u8).prop_map(DraftCondition::Value),
        proptest::option::of(1..4u64).prop_map(DraftCondition::Lease),
    ];
    let compare = proptest::collection::vec((0..8u8, condition), 0..2);
    let put = proptest::option::weighted(0.75, (0..4u8, proptest::option::weighted(0.3, 1..5u64)));
    let then = proptest::collection::btree_map(0..8u8, put, 0..4);
    (compare, then).prop_map(|(compare, then)| Draft { compare, then })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => proptest::collection::vec(draft(), 1..5).prop_map(Step::Group),
        2 => (1..20u64).prop_map(|seconds| Step::Grant { seconds }),
        1 => (1..6u64).prop_map(|lease| Step::KeepAlive { lease }),
        1 => (1..6u64).prop_map(|lease| Step::Revoke { lease }),
        2 => (1..15u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => (0..6u64).prop_map(|back| Step::Compact { back }),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
        2 => (1..5usize).prop_map(|limit| Step::Page { limit }),
    ]
}

fn key(number: u8) -> String {
    // Some keys are prefixes of others.
    ["a", "a/", "a/1", "a/2", "b", "b/1", "b/1/x", "c"][usize::from(number)].to_owned()
}

fn lease(number: u64) -> LeaseId {
    LeaseId::new(number).unwrap()
}

struct Run {
    disks: Disks,
    options: Options,
    store: Offline,
    model: Model,
    deadlines: BTreeMap<LeaseId, Instant>,
    /// Explicitly, by `compact`.
    compacted: u64,
    now: Instant,
    /// Follows everything, from the last opening on.
    watch: guildhall_store::Watch,
    watched: u64,
    /// A range being read, and the entries it must show.
    pages: Option<(Range, Vec<guildhall_store::Entry>)>,
}

impl Run {
    fn new(options: Options) -> Self {
        let (disks, now) = (Disks::default(), Instant::now());
        let store = Offline::open(disks.directories(), &options, INCARNATION, now).unwrap();
        let watch = store.watch(b"", None).unwrap();
        Self {
            disks,
            options,
            store,
            model: Model::default(),
            deadlines: BTreeMap::new(),
            compacted: 0,
            now,
            watch,
            watched: 0,
            pages: None,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Group(drafts) => {
                let drafts: Vec<Transaction> =
                    drafts.iter().map(|draft| self.transaction(draft)).collect();
                let outcomes = self.store.commit(drafts.clone(), self.now);
                let expected: Vec<_> = drafts
                    .iter()
                    .map(|draft| self.model.commit(draft))
                    .collect();
                assert_eq!(outcomes, expected);
            }
            Step::Grant { seconds } => {
                let ttl = Duration::from_secs(seconds);
                let granted = self.store.lease_grant(ttl, self.now);
                let expected = self.model.grant(ttl);
                assert_eq!(granted, Ok(expected));
                self.deadlines.insert(expected, self.now + ttl);
            }
            Step::KeepAlive { lease: number } => {
                let lease = lease(number);
                let renewed = self.store.lease_keepalive(lease, self.now);
                match self.model.leases.get(&lease) {
                    None => assert_eq!(renewed, Err(LeaseError::Unknown { lease })),
                    Some(ttl) => {
                        assert_eq!(renewed, Ok(*ttl));
                        self.deadlines.insert(lease, self.now + *ttl);
                    }
                }
            }
            Step::Revoke { lease: number } => {
                let lease = lease(number);
                let revoked = self.store.lease_revoke(lease, self.now);
                let known = self.model.end_lease(lease);
                assert_eq!(
                    revoked,
                    if known {
                        Ok(())
                    } else {
                        Err(LeaseError::Unknown { lease })
                    }
                );
            }
            Step::Pass { seconds } => {
                self.now += Duration::from_secs(seconds);
                self.store.tick(self.now);
                let mut due: Vec<_> = self
                    .deadlines
                    .iter()
                    .filter(|(_, at)| **at <= self.now)
                    .collect();
                due.sort_unstable_by_key(|(lease, at)| (**at, **lease));
                let due: Vec<LeaseId> = due.into_iter().map(|(lease, _)| *lease).collect();
                for lease in due {
                    self.deadlines.remove(&lease);
                    self.model.end_lease(lease);
                }
            }
            Step::Compact { back } => {
                let latest = self.model.revision();
                let future = self.store.compact(latest + 1, self.now);
                assert_eq!(
                    future,
                    Err(CompactError::Future {
                        revision: latest + 1,
                        latest
                    })
                );
                let revision = latest.saturating_sub(back);
                assert_eq!(self.store.compact(revision, self.now), Ok(()));
                if revision > self.compacted {
                    self.compacted = revision;
                }
            }
            Step::Checkpoint => assert!(self.store.checkpoint(self.now)),
            Step::Reopen => self.reopen(),
            Step::Page { limit } => self.page(limit),
        }
        self.model.compare(&self.store, self.now).unwrap();
        self.follow();
    }

    fn transaction(&self, draft: &Draft) -> Transaction {
        let mut transaction = Transaction::new();
        for (number, condition) in &draft.compare {
            let key = key(*number);
            let entry = self.model.entries.get(key.as_bytes());
            let near =
                |field: fn(&guildhall_store::Entry) -> u64, off: u64| entry.map_or(0, field) + off;
            let condition = match condition {
                DraftCondition::Absent => Condition::Absent,
                DraftCondition::Present => Condition::Present,
                DraftCondition::Created(off) => {
                    Condition::Created(near(|entry| entry.created, *off))
                }
                DraftCondition::Modified(off) => {
                    Condition::Modified(near(|entry| entry.modified, *off))
                }
                DraftCondition::Version(off) => {
                    Condition::Version(near(|entry| entry.version, *off))
                }
                DraftCondition::Value(value) => Condition::Value(vec![*value].into()),
                DraftCondition::Lease(number) => Condition::Lease(number.map(lease)),
            };
            transaction = transaction.when(Compare::new(key, condition));
        }
        for (number, put) in &draft.then {
            let key = key(*number);
            transaction = transaction.then(match put {
                None => Op::delete(key),
                Some((value, None)) => Op::put(key, vec![*value]),
                Some((value, Some(number))) => Op::put_leased(key, vec![*value], lease(*number)),
            });
        }
        transaction
    }

    fn reopen(&mut self) {
        let directories = self.disks.directories();
        self.store = Offline::open(directories, &self.options, INCARNATION + 1, self.now).unwrap();
        // Time starts afresh for leases, a restart ends watches and unfinished ranges.
        self.deadlines = self
            .model
            .leases
            .iter()
            .map(|(lease, ttl)| (*lease, self.now + *ttl))
            .collect();
        self.pages = None;
        self.watched = self.model.revision();
        self.watch = self.store.watch(b"", Some(self.watched + 1)).unwrap();
        self.model.compare_history(&self.store).unwrap();
        let kept = self.model.revision() - self.store.status().compacted;
        let possible = self.model.revision() - self.compacted;
        assert_eq!(
            kept,
            possible.min(self.options.history.revisions as u64),
            "no more history lost than asked for"
        );
    }

    /// Everything committed since the last look, once and in order.
    fn follow(&mut self) {
        while let Some(item) = next(&mut self.watch) {
            match item {
                Ok(WatchItem::Bookmark(revision)) => assert!(revision >= self.watched),
                Ok(WatchItem::Changes(batch)) => {
                    self.watched += 1;
                    assert_eq!(batch.revision, self.watched);
                }
                // Only when more passed in one step than the history holds, or it was compacted away at once.
                Err(error) => {
                    let behind = self.watched < self.store.status().compacted;
                    assert!(behind, "{error}");
                    self.watched = self.model.revision();
                    self.watch = self.store.watch(b"", Some(self.watched + 1)).unwrap();
                }
            }
        }
        assert_eq!(self.watched, self.model.revision());
    }

    fn page(&mut self, limit: usize) {
        let (range, mut expected) = self.pages.take().unwrap_or_else(|| {
            let all = self.model.entries.values();
            (
                Range::prefix("a"),
                all.filter(|entry| entry.key.starts_with(b"a"))
                    .cloned()
                    .collect(),
            )
        });
        match self.store.range(&range.clone().limit(limit), self.now) {
            Err(_) => {
                let at = range.at.expect("a first page can always be read");
                assert!(
                    at < self.model.revision(),
                    "only an older revision can be gone"
                );
            }
            Ok(page) => {
                let rest = expected.split_off(limit.min(expected.len()));
                assert!(page.entries.iter().map(|entry| &**entry).eq(&expected));
                assert_eq!(page.more, !rest.is_empty());
                if let Some(last) = page.entries.last().filter(|_| page.more) {
                    self.pages = Some((range.after(last.key.clone(), page.revision), rest));
                }
            }
        }
    }
}

fn check(options: Options, steps: Vec<Step>) {
    let mut run = Run::new(options);
    steps.into_iter().for_each(|step| run.step(step));
    run.model.compare_history(&run.store).unwrap();
    run.reopen();
    run.model.compare(&run.store, run.now).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_life_is_the_models(steps in proptest::collection::vec(step(), 1..60)) {
        check(small(), steps);
    }

    #[test]
    fn a_random_life_with_little_history_is_the_models(
        steps in proptest::collection::vec(step(), 1..60),
        revisions in 0..10usize,
    ) {
        let mut options = small();
        options.log.segment_size = 1024;
        options.checkpoint_after = 512;
        options.history = HistoryOptions { revisions, ..HistoryOptions::default() };
        check(options, steps);
    }
}
