//! A disk that is full or fails: nothing is half done, everything can still be read, and writing resumes when it can.

use std::time::{Duration, Instant};

use guildhall_store::{
    CommitError, CompactError, Compare, LeaseError, Op, ReadOnly, Store, Transaction,
    embedded::{Embedded, Offline, Options},
};
use guildhall_testkit::files::WriteFault;

use crate::{
    model::{INCARNATION, next},
    support::{Disks, small},
};

const SECOND: Duration = Duration::from_secs(1);

fn put(key: &'static str) -> Transaction {
    Transaction::new().then(Op::put(key, vec![1; 5000]))
}

/// Nothing is zeroed ahead, so that the first write into a full disk is refused.
fn unreserved() -> Options {
    let mut options = small();
    options.log.spares = 0;
    options
}

struct Bench {
    disks: Disks,
    store: Offline,
    now: Instant,
}

impl Bench {
    /// A store with one key.
    fn new() -> Self {
        let (disks, now) = (Disks::default(), Instant::now());
        let store = Offline::open(disks.directories(), &unreserved(), INCARNATION, now).unwrap();
        let mut bench = Self { disks, store, now };
        bench.commit(put("before")).unwrap();
        bench
    }

    fn commit(&mut self, transaction: Transaction) -> Result<u64, CommitError> {
        let outcome = self.store.commit([transaction], self.now).pop().unwrap();
        outcome.map(|committed| committed.index.revision)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.store.tick(self.now);
    }

    fn reopen(&mut self) {
        self.store = Offline::open(
            self.disks.directories(),
            &unreserved(),
            INCARNATION,
            self.now,
        )
        .unwrap();
    }
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_space() {
    let mut bench = Bench::new();
    let lease = bench.store.lease_grant(SECOND * 100, bench.now).unwrap();
    let mut watch = bench.store.watch(b"", Some(1)).unwrap();
    bench.disks.log.set_space(Some(0));
    for _ in 0..2 {
        let refused = bench.commit(put("refused"));
        assert!(
            matches!(refused, Err(CommitError::ReadOnly(ReadOnly::Full(_)))),
            "{refused:?}"
        );
    }
    let why = bench.store.status().read_only.unwrap();
    assert!(
        why.is_transient() && why.to_string().contains("free some space"),
        "{why}"
    );
    // Everything that writes nothing goes on.
    assert!(bench.store.get(b"before").is_some() && bench.store.get(b"refused").is_none());
    assert_eq!(
        bench.commit(Transaction::new().when(Compare::present("before"))),
        Ok(1)
    );
    assert!(matches!(
        bench.commit(put("x").when(Compare::absent("before"))),
        Err(CommitError::Conflict { .. })
    ));
    assert!(bench.store.lease_keepalive(lease, bench.now).is_ok());
    assert!(matches!(
        bench.store.lease_grant(SECOND, bench.now),
        Err(LeaseError::ReadOnly(_))
    ));
    assert!(matches!(
        bench.store.compact(1, bench.now),
        Err(CompactError::ReadOnly(_))
    ));
    assert_eq!(next(&mut watch).unwrap().unwrap().revision(), 1);

    bench.pass(SECOND);
    assert!(bench.store.status().read_only.is_some(), "still full");
    bench.disks.log.set_space(None);
    assert!(
        bench.commit(put("refused")).is_err(),
        "not before it was tried"
    );
    bench.pass(SECOND);
    assert_eq!(bench.store.status().read_only, None);
    assert_eq!(bench.commit(put("after")), Ok(2), "no revision was lost");
    bench.reopen();
    assert!(bench.store.get(b"after").is_some() && bench.store.get(b"refused").is_none());
}

#[test]
fn a_group_that_fails_fails_for_all_in_it() {
    let mut bench = Bench::new();
    bench.disks.log.fail_write(0, WriteFault::Short(700));
    let group = [
        put("a"),
        put("b").when(Compare::present("a")),
        put("c").when(Compare::absent("a")),
    ];
    for outcome in bench.store.commit(group, bench.now) {
        // The third conflicts with the first, which did not happen: so neither is true.
        assert!(
            matches!(
                outcome,
                Err(CommitError::ReadOnly(ReadOnly::WriteFailed(_)))
            ),
            "{outcome:?}"
        );
    }
    bench.pass(SECOND);
    assert_eq!(bench.commit(put("c").when(Compare::absent("a"))), Ok(2));
    bench.reopen();
    assert_eq!(bench.store.status().entries, 2);
}

#[test]
fn a_lease_does_not_end_while_its_end_cannot_be_written() {
    let mut bench = Bench::new();
    let lease = bench.store.lease_grant(SECOND * 5, bench.now).unwrap();
    bench
        .commit(Transaction::new().then(Op::put_leased("leased", "", lease)))
        .unwrap();
    bench.disks.log.set_space(Some(0));
    assert!(bench.commit(put("x")).is_err());
    bench.pass(SECOND * 6);
    assert!(bench.store.get(b"leased").is_some());
    bench.disks.log.set_space(None);
    bench.pass(SECOND);
    bench.pass(Duration::ZERO);
    assert!(bench.store.get(b"leased").is_none(), "but soon after");
}

#[test]
fn a_failed_sync_is_final_until_restart() {
    let mut bench = Bench::new();
    bench.disks.log.fail_sync(0);
    let doubtful = bench.commit(put("doubtful"));
    assert!(
        matches!(&doubtful, Err(CommitError::Unknown(why)) if why.contains("restart")),
        "{doubtful:?}"
    );
    for _ in 0..3 {
        bench.pass(SECOND * 2);
        let refused = bench.commit(put("refused"));
        assert!(
            matches!(refused, Err(CommitError::ReadOnly(ReadOnly::SyncFailed(_)))),
            "{refused:?}"
        );
    }
    assert!(!bench.store.status().read_only.unwrap().is_transient());
    assert!(bench.store.get(b"before").is_some() && bench.store.get(b"doubtful").is_none());
    bench.reopen();
    assert_eq!(bench.store.status().read_only, None);
    assert!(bench.store.get(b"before").is_some() && bench.store.get(b"refused").is_none());
    assert!(bench.commit(put("after")).is_ok());
}

/// The same with the engine's own threads and clock.
#[tokio::test]
async fn the_engine_notices_space_by_itself() {
    let disks = Disks::default();
    let store = Embedded::open_in(disks.directories(), unreserved()).unwrap();
    disks.log.set_space(Some(0));
    assert!(matches!(
        store.commit(put("k")).await,
        Err(CommitError::ReadOnly(ReadOnly::Full(_)))
    ));
    disks.log.set_space(None);
    let deadline = Instant::now() + Duration::from_secs(30);
    while store.status().read_only.is_some() {
        assert!(Instant::now() < deadline, "still read-only");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(store.commit(put("k")).await.unwrap().index.revision, 1);
}
