//! The one writer: decides requests against the state as staged, and publishes it once the log has it.
//!
//! It knows neither threads nor clocks. Per group of requests: [`Writer::prepare`], [`Writer::stage`] for each, one commit of
//! the log, then [`Writer::committed`] or [`Writer::failed`].
//!
//! ```text
//! prepare:   the blobs that transactions bring along ─▶ durable in their own log, all at once
//! stage:     request ─▶ Tables::decide ─▶ Change ─▶ log.stage, Tables::apply (staged only), answer held back
//! committed: publish the tables ─▶ feed the watchers ─▶ answer ─▶ checkpoint due? ─▶ drop old segments
//! failed:    staged tables = published ones; everyone is told
//! ```

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_log::{Log, Sequence};

use super::{
    Options,
    alarm::earlier,
    checkpoint::{Finished, Job},
    deadlines::Deadlines,
    record::Change,
    request::{Answer, Failure, Request},
    shared::Shared,
    tables::{Refusal, Tables},
};
use crate::{
    Blob, BlobError, BlobHash, CommitError, Committed, CompactError, LeaseError, LeaseId, ReadOnly,
    Transaction, TransactionError, WatchBatch,
};

/// How often a full or failing disk is tried again.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// A wake-up that comes later than this means that the platform was stalled, and its clients could not renew.
const TOLERATED_LAG: Duration = Duration::from_secs(1);
/// The longest life of a lease.
const MAX_TTL: Duration = Duration::from_secs(365 * 24 * 3600);
/// What a record's frame adds in the log, roughly.
const FRAME: u64 = 24;

/// The writer's state.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    checkpoint_after: u64,
    /// What the log will hold once the group is committed.
    staged: Tables,
    /// Revisions and compaction of the group.
    batches: Vec<(WatchBatch, Sequence)>,
    compacted: Option<u64>,
    changed: bool,
    answers: Vec<Answer>,
    /// Blobs that transactions bring along and that could not be kept, with why.
    unkept: BTreeMap<BlobHash, BlobError>,
    /// Blobs that the group left without a name.
    freed: Vec<BlobHash>,
    deadlines: Deadlines,
    /// The alarm rang: see to what is due besides leases.
    ticked: bool,
    /// Why nothing is written, and when to try again.
    read_only: Option<ReadOnly>,
    probe_at: Option<Instant>,
    probing: bool,
    /// Bytes of log since the last checkpoint, and that one's length.
    since_checkpoint: u64,
    last_checkpoint: u64,
    checkpointing: bool,
    /// Records that a finished checkpoint has made superfluous.
    superfluous: Option<Sequence>,
    /// Where records are encoded.
    record: Vec<u8>,
}

impl Writer {
    /// A writer that goes on from published tables. `since_checkpoint` and `last_checkpoint` are in bytes.
    pub(crate) fn new(
        shared: Arc<Shared>,
        options: &Options,
        since_checkpoint: u64,
        last_checkpoint: u64,
        now: Instant,
    ) -> Self {
        let staged = Tables::clone(&shared.published.load());
        let mut deadlines = Deadlines::default();
        deadlines.align(&staged.leases, now);
        let writer = Self {
            shared,
            checkpoint_after: options.checkpoint_after,
            staged,
            batches: Vec::new(),
            compacted: None,
            changed: false,
            answers: Vec::new(),
            unkept: BTreeMap::new(),
            freed: Vec::new(),
            deadlines,
            ticked: false,
            read_only: None,
            probe_at: None,
            probing: false,
            since_checkpoint,
            last_checkpoint,
            checkpointing: false,
            superfluous: None,
            record: Vec::new(),
        };
        writer.set_alarm();
        writer
    }

    /// Has `keep` make the blobs durable that these requests bring along.
    pub(crate) fn prepare<'a>(
        &mut self,
        requests: impl Iterator<Item = &'a mut Request>,
        keep: impl FnOnce(Vec<Blob>) -> Result<(), BlobError>,
    ) {
        self.unkept.clear();
        let blobs: Vec<Blob> = requests.flat_map(Request::take_blobs).collect();
        if blobs.is_empty() {
            return;
        }
        let hashes: Vec<BlobHash> = blobs.iter().map(Blob::hash).collect();
        if let Err(error) = keep(blobs) {
            let unkept = hashes.into_iter().map(|hash| (hash, error.clone()));
            self.unkept.extend(unkept);
        }
    }

    /// Decides a request and stages what it comes to.
    pub(crate) fn stage(&mut self, request: Request, now: Instant, log: &mut Log) {
        let answer = match request {
            Request::Commit(transaction, reply) => {
                Answer::Commit(reply, self.commit(transaction, log))
            }
            Request::Grant(ttl, reply) => Answer::Grant(reply, self.grant(ttl, now, log)),
            Request::KeepAlive(lease, reply) => {
                Answer::KeepAlive(reply, self.keep_alive(lease, now))
            }
            Request::Revoke(lease, reply) => Answer::Revoke(reply, self.revoke(lease, log)),
            Request::Compact(revision, reply) => {
                Answer::Compact(reply, self.compact(revision, log))
            }
            Request::Tick(due) => return self.tick(due, now, log),
        };
        self.answers.push(answer);
    }

    fn commit(
        &mut self,
        transaction: Transaction,
        log: &mut Log,
    ) -> Result<Committed, CommitError> {
        let decided = self
            .staged
            .decide(transaction, |blob| self.shared.blobs.has(blob));
        let index = self.staged.index;
        let change = decided.map_err(|refusal| match refusal {
            Refusal::Conflict { at } => CommitError::Conflict { at, index },
            Refusal::Lease(lease) => CommitError::LeaseUnknown { lease },
            Refusal::Blob(hash) => match self.unkept.get(&hash) {
                Some(error) => CommitError::Blob(error.clone()),
                None => CommitError::BlobMissing { hash },
            },
        })?;
        let Some(change) = change else {
            return Ok(Committed {
                index,
                changed: false,
            });
        };
        self.write(&change, log)?;
        Ok(Committed {
            index: self.staged.index,
            changed: true,
        })
    }

    fn grant(&mut self, ttl: Duration, now: Instant, log: &mut Log) -> Result<LeaseId, LeaseError> {
        let lease = LeaseId::new(self.staged.last_lease + 1).ok_or(LeaseError::InvalidTtl)?;
        if ttl.is_zero() || ttl > MAX_TTL {
            return Err(LeaseError::InvalidTtl);
        }
        let ttl = ttl.max(Duration::from_millis(1));
        self.write(&Change::Grant { lease, ttl }, log)?;
        self.deadlines.set(lease, now + ttl);
        Ok(lease)
    }

    fn keep_alive(&mut self, lease: LeaseId, now: Instant) -> Result<Duration, LeaseError> {
        let ttl = self
            .staged
            .leases
            .get(&lease)
            .ok_or(LeaseError::Unknown { lease })?
            .ttl;
        self.deadlines.set(lease, now + ttl);
        Ok(ttl)
    }

    fn revoke(&mut self, lease: LeaseId, log: &mut Log) -> Result<(), LeaseError> {
        if !self.staged.leases.contains_key(&lease) {
            return Err(LeaseError::Unknown { lease });
        }
        while let Some(change) = self.staged.decide_end(lease) {
            self.write(&change, log)?;
        }
        self.deadlines.remove(lease);
        Ok(())
    }

    fn compact(&mut self, revision: u64, log: &mut Log) -> Result<(), CompactError> {
        let latest = self.staged.index.revision;
        if revision > latest {
            return Err(CompactError::Future { revision, latest });
        }
        if revision > self.staged.compacted {
            self.write(&Change::Compact { revision }, log)?;
            self.compacted = Some(revision);
        }
        Ok(())
    }

    fn tick(&mut self, due: Instant, now: Instant, log: &mut Log) {
        self.ticked = true;
        let lag = now.saturating_duration_since(due);
        if lag > TOLERATED_LAG {
            tracing::warn!(
                ?lag,
                "the store was stalled; leases are extended by as long"
            );
            self.deadlines.extend(lag + TOLERATED_LAG);
        }
        match &self.read_only {
            None => {
                for lease in self.deadlines.due(now) {
                    if let Err(error) = self.revoke(lease, log) {
                        tracing::warn!(%error, %lease, "an expired lease could not be ended");
                    }
                }
            }
            Some(why) if self.probe_at.is_some_and(|at| at <= now) => {
                if matches!(why, ReadOnly::Full(_)) && !self.shared.has_space() {
                    self.probe_at = Some(now + PROBE_EVERY);
                } else {
                    self.probing = self.append(&Change::Probe, log).is_ok();
                }
            }
            Some(_) => {}
        }
    }

    /// Stages a change in the log and in the tables, unless nothing can be written.
    fn write(&mut self, change: &Change, log: &mut Log) -> Result<(), Refused> {
        if let Some(why) = &self.read_only {
            return Err(Refused::ReadOnly(why.clone()));
        }
        self.append(change, log)
    }

    fn append(&mut self, change: &Change, log: &mut Log) -> Result<(), Refused> {
        self.record.clear();
        change.encode(&mut self.record);
        let sequence = log
            .stage(&[&self.record])
            .map_err(|too_large| Refused::TooLarge {
                bytes: too_large.length,
            })?;
        if let Err(error) = self.staged.apply(change, &mut self.freed) {
            // `decide` numbers what it decides by these very tables.
            tracing::error!(%error, "a change was decided for another revision");
        }
        if let Some(batch) = change.batch() {
            self.batches.push((batch.clone(), sequence));
        }
        self.since_checkpoint += self.record.len() as u64 + FRAME;
        self.changed = true;
        Ok(())
    }

    /// The group is durable. Returns the checkpoint to be written now, if one is due.
    pub(crate) fn committed(&mut self, now: Instant, log: &mut Log) -> Option<Job> {
        if self.changed {
            self.changed = false;
            self.shared.published.publish(self.staged.clone(), now);
        }
        if let Some(revision) = self.compacted.take() {
            self.shared.published.compact(revision);
            self.shared.feed.publish(&mut self.batches, now);
            self.shared.feed.compact(revision);
        } else if !self.batches.is_empty() {
            self.shared.feed.publish(&mut self.batches, now);
        }
        if std::mem::take(&mut self.probing) {
            tracing::info!("the store is writable again");
            self.set_read_only(None, None);
        }
        self.answers.drain(..).for_each(Answer::send);
        if !self.freed.is_empty() {
            let due = self.shared.blobs.touch(&mut self.freed, now);
            self.shared.alarm.no_later_than(due);
        }
        if std::mem::take(&mut self.ticked) {
            // After a failed sync the log may name blobs that these tables do not.
            if self.read_only.is_none() {
                self.shared.sweep(&self.staged, now);
            }
            self.finish_checkpoint(log);
        }
        self.set_alarm();
        self.checkpoint_due(log)
    }

    /// Nothing of the group was kept.
    pub(crate) fn failed(&mut self, error: &guildhall_log::CommitError, now: Instant) {
        self.staged = Tables::clone(&self.shared.published.load());
        self.deadlines.align(&self.staged.leases, now);
        self.batches.clear();
        self.freed.clear();
        self.compacted = None;
        self.changed = false;
        self.probing = false;
        let failure = failure(error);
        let (Failure::Undone(why) | Failure::Unknown(why)) = &failure;
        let probe_at = why.is_transient().then(|| now + PROBE_EVERY);
        if self.read_only.is_none() {
            tracing::error!(%error, "the store is read-only");
        }
        self.set_read_only(Some(why.clone()), probe_at);
        self.answers
            .drain(..)
            .for_each(|answer| answer.fail(&failure));
        self.set_alarm();
    }

    fn set_read_only(&mut self, why: Option<ReadOnly>, probe_at: Option<Instant>) {
        self.read_only.clone_from(&why);
        self.probe_at = probe_at;
        self.shared.set_read_only(why);
    }

    fn set_alarm(&self) {
        let lease = if self.read_only.is_none() {
            self.deadlines.next()
        } else {
            None
        };
        self.shared.alarm.set(earlier(lease, self.probe_at));
    }

    /// The checkpoint to be written now, whether it is due or not; `None` while one is being written.
    pub(crate) fn checkpoint(&mut self, log: &Log) -> Option<Job> {
        if std::mem::replace(&mut self.checkpointing, true) {
            return None;
        }
        self.since_checkpoint = 0;
        Some(Job {
            tables: self.staged.clone(),
            sequence: log.next_sequence().previous(),
        })
    }

    fn checkpoint_due(&mut self, log: &Log) -> Option<Job> {
        let due = self.since_checkpoint >= self.checkpoint_after.max(self.last_checkpoint);
        if due && self.read_only.is_none() {
            self.checkpoint(log)
        } else {
            None
        }
    }

    /// Takes note of a checkpoint that was written meanwhile, and gives the segments back that it replaces.
    pub(crate) fn finish_checkpoint(&mut self, log: &mut Log) {
        match self.shared.take_finished() {
            None => {}
            Some(Finished::Failed) => {
                // Tried again after a quarter of the distance, not at once.
                self.checkpointing = false;
                self.since_checkpoint += self.checkpoint_after / 4 * 3;
            }
            Some(Finished::Written { sequence, bytes }) => {
                self.checkpointing = false;
                self.last_checkpoint = bytes;
                self.superfluous = Some(sequence.next());
            }
        }
        let Some(superfluous) = self.superfluous.take() else {
            return;
        };
        let needed = self
            .shared
            .feed
            .oldest_record()
            .map_or(superfluous, |oldest| oldest.min(superfluous));
        if let Err(error) = log.drop_before(needed) {
            // Tried again with the next checkpoint.
            tracing::warn!(%error, "old segments of the log could not be dropped");
        }
    }
}

/// Why a change was not staged.
#[derive(Debug)]
enum Refused {
    ReadOnly(ReadOnly),
    TooLarge { bytes: usize },
}

impl From<Refused> for CommitError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::ReadOnly(why) => why.into(),
            Refused::TooLarge { bytes } => TransactionError::TooLarge { bytes }.into(),
        }
    }
}

impl From<Refused> for LeaseError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::ReadOnly(why) => why.into(),
            Refused::TooLarge { bytes } => Self::Unknowable(format!("a record of {bytes} bytes")),
        }
    }
}

impl From<Refused> for CompactError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::ReadOnly(why) => why.into(),
            Refused::TooLarge { bytes } => {
                ReadOnly::WriteFailed(format!("a record of {bytes} bytes")).into()
            }
        }
    }
}

fn failure(error: &guildhall_log::CommitError) -> Failure {
    use guildhall_log::CommitError::{Full, ReadOnly as Closed, Sync, Write};
    let cause =
        |file: &std::path::Path, source: &std::io::Error| format!("{}: {source}", file.display());
    match error {
        Full { file, source } => Failure::Undone(ReadOnly::Full(cause(file, source))),
        Write { file, source } => Failure::Undone(ReadOnly::WriteFailed(cause(file, source))),
        Sync { file, source } => Failure::Unknown(ReadOnly::SyncFailed(cause(file, source))),
        Closed => Failure::Undone(ReadOnly::SyncFailed(error.to_string())),
    }
}
