//! A snapshot as a stream: encodes a clone of the state piece by piece, as fast as it is taken.

use std::{ops::Bound, sync::Arc};

use bytes::Bytes;

use super::{
    dump::{Checksum, Encoder},
    shared::SnapshotGuard,
    tables::Tables,
    worker::BlobWorker,
};
use crate::{BlobHash, BoxFuture, LeaseId, SnapshotChunks, SnapshotError};

/// A chunk is about so long, in bytes.
const CHUNK: usize = 256 << 10;

/// What comes next.
enum Next {
    Leases { after: Option<LeaseId> },
    Entries { after: Option<Bytes> },
    Blobs { after: Option<BlobHash> },
    Nothing,
}

/// The chunks of one snapshot.
pub(crate) struct Stream {
    tables: Arc<Tables>,
    worker: BlobWorker,
    encoder: Option<Encoder>,
    next: Next,
    chunk: Vec<u8>,
    _guard: SnapshotGuard,
}

/// A range's start after something, or at the beginning.
fn start<T>(after: Option<&T>) -> (Bound<&T>, Bound<&T>) {
    (
        after.map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded,
    )
}

impl Stream {
    pub(crate) fn new(tables: Arc<Tables>, worker: BlobWorker, guard: SnapshotGuard) -> Self {
        let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 4);
        let encoder = Some(Encoder::begin(&tables, Checksum::Own, &mut chunk));
        Self {
            tables,
            worker,
            encoder,
            next: Next::Leases { after: None },
            chunk,
            _guard: guard,
        }
    }

    /// Fills the chunk as far as it goes.
    async fn fill(&mut self) -> Result<(), SnapshotError> {
        while let Some(encoder) = &mut self.encoder
            && self.chunk.len() < CHUNK
        {
            let chunk = &mut self.chunk;
            self.next = match &self.next {
                Next::Leases { after } => {
                    match self
                        .tables
                        .leases
                        .range::<_, LeaseId>(start(after.as_ref()))
                        .next()
                    {
                        Some((lease, state)) => {
                            encoder.lease(*lease, state, chunk);
                            Next::Leases {
                                after: Some(*lease),
                            }
                        }
                        None => Next::Entries { after: None },
                    }
                }
                Next::Entries { after } => {
                    let mut last = None;
                    let after = after.as_ref().map(|after: &Bytes| &after[..]);
                    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
                    for entry in self.tables.entries.range(start) {
                        encoder.entry(entry, chunk);
                        last = Some(&entry.key);
                        if chunk.len() >= CHUNK {
                            break;
                        }
                    }
                    match last {
                        Some(last) => Next::Entries {
                            after: Some(last.clone()),
                        },
                        None => Next::Blobs { after: None },
                    }
                }
                Next::Blobs { after } => {
                    match self
                        .tables
                        .blobs
                        .range::<_, BlobHash>(start(after.as_ref()))
                        .next()
                    {
                        Some((hash, _)) => {
                            let hash = *hash;
                            let bytes = self.worker.get(hash).await?;
                            encoder.blob(&bytes.ok_or(SnapshotError::BlobMissing { hash })?, chunk);
                            Next::Blobs { after: Some(hash) }
                        }
                        None => Next::Nothing,
                    }
                }
                Next::Nothing => {
                    if let Some(encoder) = self.encoder.take() {
                        encoder.end(chunk);
                    }
                    break;
                }
            };
        }
        Ok(())
    }
}

impl SnapshotChunks for Stream {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, SnapshotError>> {
        Box::pin(async move {
            self.fill().await?;
            let chunk = std::mem::take(&mut self.chunk);
            Ok((!chunk.is_empty()).then(|| chunk.into()))
        })
    }
}
