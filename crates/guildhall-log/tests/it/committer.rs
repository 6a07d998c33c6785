//! Group commit: all who wait share a sync, the queue pushes back, and the end loses nothing.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use bytes::Bytes;
use guildhall_log::{
    AppendError, Appender, CommitError, Committer, CommitterOptions, Log, Machine, Options,
    Sequence, Start, Stopped, SubmitError,
    files::{File, Files},
};
use guildhall_testkit::files::{FaultyFiles, WriteFault};
use tokio::sync::oneshot;

use crate::support::{open, segments, small};

/// Files whose data syncs wait while the gate is shut, so that a test decides what piles up behind one.
#[derive(Clone, Default)]
struct Gated {
    files: FaultyFiles,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    /// Shut?, and how many wait before it.
    state: Mutex<(bool, usize)>,
    moved: Condvar,
}

impl Gate {
    fn shut(&self) {
        self.state.lock().unwrap().0 = true;
    }

    fn open(&self) {
        self.state.lock().unwrap().0 = false;
        self.moved.notify_all();
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.1 += 1;
        self.moved.notify_all();
        while state.0 {
            state = self.moved.wait(state).unwrap();
        }
        state.1 -= 1;
    }

    /// Waits until a sync stands before the gate.
    fn occupied(&self) {
        let state = self.state.lock().unwrap();
        let (_state, timeout) = self
            .moved
            .wait_timeout_while(state, Duration::from_secs(20), |state| state.1 == 0)
            .unwrap();
        assert!(!timeout.timed_out(), "no sync came");
    }
}

struct GatedFile(Arc<dyn File>, Arc<Gate>);

impl Files for Gated {
    fn create(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(GatedFile(
            self.files.create(name)?,
            Arc::clone(&self.gate),
        )))
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(GatedFile(
            self.files.open(name)?,
            Arc::clone(&self.gate),
        )))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.files.sync_dir()
    }
    fn space_left(&self) -> io::Result<u64> {
        self.files.space_left()
    }
    fn path(&self, name: &str) -> PathBuf {
        self.files.path(name)
    }
}

impl File for GatedFile {
    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.pass();
        self.0.sync_data()
    }
}

fn options() -> CommitterOptions {
    CommitterOptions {
        gather: Duration::ZERO,
        ..CommitterOptions::default()
    }
}

/// One segment is enough for a whole test, so that syncs can be counted.
fn roomy() -> Options {
    Options {
        segment_size: 1 << 20,
        ..small()
    }
}

fn gated(options: CommitterOptions) -> (Gated, Appender) {
    let files = Gated::default();
    let (log, _) = Log::open(Arc::new(files.clone()), roomy(), Start::Oldest, |_| Ok(())).unwrap();
    (files, Appender::start(log, options).unwrap())
}

fn record(n: u64) -> Bytes {
    Bytes::from(format!("record {n}"))
}

#[tokio::test]
async fn all_who_wait_share_one_sync() {
    let (files, appender) = gated(options());
    files.gate.shut();
    let first = appender.try_append(record(1)).unwrap();
    files.gate.occupied();
    let waiting: Vec<_> = (2..=100)
        .map(|n| appender.try_append(record(n)).unwrap())
        .collect();
    let before = files.files.counts();
    files.gate.open();
    assert_eq!(first.await.unwrap(), Sequence::FIRST);
    for (n, pending) in (2..).zip(waiting) {
        assert_eq!(pending.await.unwrap(), Sequence::new(n));
    }
    let after = files.files.counts();
    // The first group's sync was under way; the 99 took one write and one sync more.
    assert_eq!(
        (after.writes - before.writes, after.syncs - before.syncs),
        (1, 2)
    );
    assert_eq!(appender.view().stats().snapshot().commits, 2);
}

#[test]
fn concurrent_appends_are_each_durable_when_acknowledged() {
    let files = FaultyFiles::new();
    let appender =
        Appender::start(open(&files, &small()).log, CommitterOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let mut sequences: Vec<u64> = runtime.block_on(async {
        let clients: Vec<_> = (0..32)
            .map(|client| {
                let appender = appender.clone();
                let files = files.clone();
                tokio::spawn(async move {
                    let mut mine = Vec::new();
                    for n in 0..20 {
                        let sequence = appender.append(record(client * 1000 + n)).await.unwrap();
                        assert!(appender.view().durable() >= sequence);
                        mine.push(sequence.get());
                    }
                    drop(files);
                    mine
                })
            })
            .collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.await.unwrap());
        }
        all
    });
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=640).collect::<Vec<_>>());
    drop(appender);
    let again = open(&files.crash(1), &small());
    assert_eq!(again.replayed.len(), 640);
    assert!(again.opened.clean, "the last clone closed the log");
}

#[tokio::test]
async fn a_full_queue_refuses_or_waits() {
    let (files, appender) = gated(CommitterOptions {
        queue_bytes: 3 * 300,
        ..options()
    });
    files.gate.shut();
    let first = appender.try_append(record(1)).unwrap();
    files.gate.occupied();
    let mut queued = Vec::new();
    let refused = loop {
        match appender.try_append(record(2)) {
            Ok(pending) => queued.push(pending),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Overloaded), "{refused}");
    assert_eq!(queued.len(), 3);
    let patient = tokio::spawn({
        let appender = appender.clone();
        async move { appender.append(record(5)).await }
    });
    tokio::task::yield_now().await;
    assert!(!patient.is_finished());
    files.gate.open();
    first.await.unwrap();
    assert_eq!(patient.await.unwrap().unwrap(), Sequence::new(5));
}

#[test]
fn stopping_drains_closes_and_refuses_what_comes_later() {
    let (files, appender) = gated(options());
    files.gate.shut();
    let first = appender.try_append(record(1)).unwrap();
    files.gate.occupied();
    let waiting: Vec<_> = (2..=20)
        .map(|n| appender.try_append(record(n)).unwrap())
        .collect();
    let other = appender.clone();
    let stopping = std::thread::spawn(move || other.stop());
    // Refused from the moment the stop has begun, though the thread is still before the gate.
    let late = loop {
        match appender.try_append(record(99)) {
            Err(error) => break error,
            Ok(_) => std::thread::yield_now(),
        }
    };
    assert!(matches!(late, AppendError::Stopped), "{late}");
    files.gate.open();
    first.wait().unwrap();
    for pending in waiting {
        pending.wait().unwrap();
    }
    stopping.join().unwrap();
    let again = open(&files.files.crash(3), &small());
    assert!(again.replayed.len() >= 20 && again.opened.clean);
    assert!(matches!(
        appender.append_blocking(record(1)),
        Err(AppendError::Stopped)
    ));
}

#[tokio::test]
async fn a_refused_group_is_answered_and_the_next_goes_through() {
    let files = FaultyFiles::new();
    let appender = Appender::start(open(&files, &small()).log, options()).unwrap();
    appender.append(record(1)).await.unwrap();
    files.set_space(Some(0));
    let error = appender
        .append(Bytes::from(vec![0; 8000]))
        .await
        .unwrap_err();
    assert!(
        matches!(error, AppendError::Commit(CommitError::Full { .. })),
        "{error}"
    );
    files.set_space(None);
    files.fail_write(0, WriteFault::Short(3));
    appender.append(record(2)).await.unwrap_err();
    assert_eq!(appender.append(record(2)).await.unwrap(), Sequence::new(2));
    files.fail_sync(0);
    appender.append(record(3)).await.unwrap_err();
    let error = appender.append(record(3)).await.unwrap_err();
    assert!(
        matches!(error, AppendError::Commit(CommitError::ReadOnly)),
        "{error}"
    );
}

#[tokio::test]
async fn appenders_drop_old_segments() {
    let files = FaultyFiles::new();
    let appender = Appender::start(open(&files, &small()).log, options()).unwrap();
    for n in 0..20 {
        appender.append(Bytes::from(vec![n; 1000])).await.unwrap();
    }
    let oldest = appender.drop_before(Sequence::new(15)).await.unwrap();
    assert!(oldest > Sequence::new(10) && oldest <= Sequence::new(15));
    assert_eq!(appender.view().oldest(), oldest);
    assert!(segments(&files).len() < 4);
}

/// Answers with how many requests its group had; refuses, and panics, on demand.
#[derive(Default)]
struct Counting {
    group: Vec<oneshot::Sender<usize>>,
    committed: usize,
    failed: usize,
}

enum Ask {
    Write(oneshot::Sender<usize>),
    Read(oneshot::Sender<usize>),
    Panic,
}

impl Machine for Counting {
    type Request = Ask;

    fn stage(&mut self, request: Ask, log: &mut Log) {
        match request {
            Ask::Write(reply) => {
                log.stage(&[b"x"]).unwrap();
                self.group.push(reply);
            }
            Ask::Read(reply) => reply.send(self.committed).unwrap(),
            Ask::Panic => panic!("asked for"),
        }
    }

    fn committed(&mut self, _log: &mut Log) {
        self.committed += self.group.len();
        let size = self.group.len();
        for reply in self.group.drain(..) {
            reply.send(size).unwrap();
        }
    }

    fn failed(&mut self, _error: &CommitError, log: &mut Log) {
        self.failed += self.group.len();
        self.group.clear();
        assert_eq!(log.staged_bytes(), 0);
    }
}

#[tokio::test]
async fn a_machine_stages_publishes_and_rolls_back() {
    let files = FaultyFiles::new();
    let committer =
        Committer::start(open(&files, &small()).log, Counting::default(), options()).unwrap();
    let submitter = committer.submitter();
    let ask = async |ask: fn(oneshot::Sender<usize>) -> Ask| {
        let (reply, answer) = oneshot::channel();
        submitter.submit(ask(reply), 0).await.unwrap();
        answer.await
    };
    assert_eq!(ask(Ask::Write).await, Ok(1));
    let syncs = files.counts().syncs;
    assert_eq!(ask(Ask::Read).await, Ok(1));
    assert_eq!(
        files.counts().syncs,
        syncs,
        "a group without records was synced"
    );
    files.fail_write(0, WriteFault::Error);
    assert!(ask(Ask::Write).await.is_err());
    assert_eq!(ask(Ask::Write).await, Ok(1));
    let (machine, log) = committer.stop().unwrap();
    assert_eq!((machine.committed, machine.failed), (2, 1));
    assert_eq!(log.view().durable(), Sequence::new(2));
    assert_eq!(submitter.submit(Ask::Panic, 0).await, Err(Stopped));
    assert!(matches!(
        submitter.try_submit(Ask::Panic, 0),
        Err(SubmitError::Stopped(Ask::Panic))
    ));
}

#[tokio::test]
async fn a_panicking_machine_leaves_nobody_waiting() {
    let gated = Gated::default();
    let (log, _) = Log::open(Arc::new(gated.clone()), small(), Start::Oldest, |_| Ok(())).unwrap();
    let committer = Committer::start(log, Counting::default(), options()).unwrap();
    let submitter = committer.submitter();
    gated.gate.shut();
    let (reply, first) = oneshot::channel();
    submitter.submit(Ask::Write(reply), 0).await.unwrap();
    gated.gate.occupied();
    submitter.submit(Ask::Panic, 0).await.unwrap();
    let (reply, behind) = oneshot::channel();
    submitter.submit(Ask::Write(reply), 0).await.unwrap();
    gated.gate.open();
    assert_eq!(first.await, Ok(1));
    assert!(behind.await.is_err());
    assert!(committer.stop().is_err());
    assert_eq!(submitter.submit(Ask::Panic, 0).await, Err(Stopped));
    assert_eq!(open(&gated.files.kill(), &small()).replayed.len(), 1);
}
