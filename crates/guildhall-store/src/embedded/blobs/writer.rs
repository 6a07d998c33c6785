//! The one who writes blobs: decides what is new, and makes it known once the log has it. It knows neither threads nor
//! clocks, as the store's own writer.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use bytes::Bytes;
use guildhall_log::{CommitError, Log, Sequence};
use tokio::sync::oneshot;

use super::{super::alarm::Alarm, index::Place, record::prefix, shared::Blobs};
use crate::{Blob, BlobError, BlobHash};

/// Where it is said that blobs are durable.
pub(crate) type PutReply = oneshot::Sender<Result<(), BlobError>>;

/// What the writer is asked.
pub(crate) enum Request {
    /// Blobs, kept together.
    Put(Vec<Blob>, PutReply),
    /// Work of the cleaner's; answered when it is durable, or dropped when it was not done.
    Clean(Work, oneshot::Sender<()>),
}

/// One step of cleaning a segment.
pub(crate) enum Work {
    /// Append these again.
    Move(Vec<Moved>),
    /// Nothing before this segment, which begins with this record, is needed any more.
    Drop { segment: u64, first: Sequence },
}

/// A blob with where it stands now.
pub(crate) struct Moved {
    pub(super) hash: BlobHash,
    pub(super) from: Place,
    pub(super) bytes: Bytes,
}

impl Request {
    /// Bytes that it holds.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Put(blobs, _) => blobs.iter().map(|blob| blob.bytes().len()).sum(),
            Self::Clean(Work::Move(moved), _) => moved.iter().map(|moved| moved.bytes.len()).sum(),
            Self::Clean(Work::Drop { .. }, _) => 0,
        }
    }
}

/// A record of the group.
struct Staged {
    hash: BlobHash,
    /// Bytes of the group before it.
    offset: u64,
    length: u32,
    /// Where it was, if it is moved.
    from: Option<Place>,
}

/// The writer's state.
pub(crate) struct Writer {
    blobs: Arc<Blobs>,
    alarm: Arc<Alarm>,
    staged: Vec<Staged>,
    /// New ones of the group: who puts the same meanwhile waits for the same record.
    new: BTreeSet<BlobHash>,
    puts: Vec<(Vec<BlobHash>, PutReply)>,
    cleaned: Vec<oneshot::Sender<()>>,
}

impl Writer {
    pub(crate) fn new(blobs: Arc<Blobs>, alarm: Arc<Alarm>) -> Self {
        Self {
            blobs,
            alarm,
            staged: Vec::new(),
            new: BTreeSet::new(),
            puts: Vec::new(),
            cleaned: Vec::new(),
        }
    }

    /// Stages what a request comes to.
    pub(crate) fn stage(&mut self, request: Request, now: Instant, log: &mut Log) {
        match request {
            Request::Put(blobs, reply) => {
                for blob in &blobs {
                    let hash = blob.hash();
                    if !self.blobs.index().touch(&hash, now) && self.new.insert(hash) {
                        self.record(hash, blob.bytes(), None, log);
                    }
                }
                let hashes = blobs.iter().map(Blob::hash).collect();
                self.puts.push((hashes, reply));
            }
            Request::Clean(Work::Move(moved), reply) => {
                for Moved { hash, from, bytes } in moved {
                    self.record(hash, &bytes, Some(from), log);
                }
                self.cleaned.push(reply);
            }
            Request::Clean(Work::Drop { segment, first }, reply) => {
                match log.drop_before(first) {
                    Ok(_) => {
                        self.blobs.index().dropped_before(segment);
                        self.cleaned.push(reply);
                    }
                    // Tried again after the next sweep.
                    Err(error) => {
                        tracing::warn!(%error, "garbage of the blobs could not be removed")
                    }
                }
            }
        }
    }

    fn record(&mut self, hash: BlobHash, bytes: &[u8], from: Option<Place>, log: &mut Log) {
        let offset = log.staged_bytes() as u64;
        match (
            u32::try_from(bytes.len()),
            log.stage(&[&prefix(&hash), bytes]),
        ) {
            (Ok(length), Ok(_)) => self.staged.push(Staged {
                hash,
                offset,
                length,
                from,
            }),
            // The log is opened for the longest blob there may be.
            _ => tracing::error!(%hash, bytes = bytes.len(), "a blob is too long for its log"),
        }
    }

    /// The group is durable.
    pub(crate) fn committed(&mut self, now: Instant, log: &Log) {
        let group = log.group_at();
        {
            let mut index = self.blobs.index();
            for staged in self.staged.drain(..) {
                let place = Place {
                    at: group.plus(staged.offset),
                    length: staged.length,
                };
                match staged.from {
                    None => index.insert(staged.hash, place, false, now),
                    Some(from) => index.moved(&staged.hash, from, place),
                }
            }
        }
        if !std::mem::take(&mut self.new).is_empty() {
            self.alarm.no_later_than(now + self.blobs.grace);
        }
        for (_, reply) in self.puts.drain(..) {
            drop(reply.send(Ok(())));
        }
        for reply in self.cleaned.drain(..) {
            // A cleaner that was stopped takes no answer.
            let _ = reply.send(());
        }
    }

    /// Nothing of the group was kept. What was durable before still is.
    pub(crate) fn failed(&mut self, error: &CommitError) {
        self.staged.clear();
        self.cleaned.clear();
        let cause = match std::error::Error::source(error) {
            Some(source) => format!("{error} ({source})"),
            None => error.to_string(),
        };
        for (hashes, reply) in self.puts.drain(..) {
            let lost = hashes.into_iter().find(|hash| self.new.contains(hash));
            let result = lost.map_or(Ok(()), |hash| {
                Err(BlobError::Io {
                    action: "writing",
                    hash,
                    cause: cause.clone(),
                })
            });
            drop(reply.send(result));
        }
        self.new.clear();
    }
}
