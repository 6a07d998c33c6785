//! What happened, as the log keeps it: one record a change.
//!
//! A record is decided before it is written, so that replaying decides nothing: it carries the events with the entries
//! as they became, and the same type is what the tables apply and what watchers get. Version 1:
//!
//! ```text
//! record  = version kind body          version = 1
//! commit  = 1: revision events         what a transaction did
//! grant   = 2: lease ttl               ttl in milliseconds
//! end     = 3: lease [revision events] a lease is over, and what it took with it
//! compact = 4: revision
//! probe   = 5:                         nothing; whether writing works again
//! events  = count (0 key | 1 entry)…   deletions and puts
//! ```

use std::{sync::Arc, time::Duration};

use super::codec::{Decoder, Malformed, put_bytes, put_entry, put_millis, put_number};
use crate::{Event, LeaseId, WatchBatch};

/// The version of the encoding that this build writes.
pub(crate) const VERSION: u8 = 1;

/// One change of the store's state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// A transaction that changed something.
    Commit(WatchBatch),
    /// A lease was granted.
    Grant { lease: LeaseId, ttl: Duration },
    /// A lease is over. Without a batch it had no keys (any more).
    LeaseEnd {
        lease: LeaseId,
        batch: Option<WatchBatch>,
    },
    /// History up to this revision was given up.
    Compact { revision: u64 },
    /// A write that only tries whether writing works.
    Probe,
}

/// Why a record cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(
        "it has format version {0}, this version reads up to {VERSION}; start a newer guildhall"
    )]
    Version(u8),
    #[error("it is malformed: {0}")]
    Malformed(#[from] Malformed),
}

impl Change {
    /// The revision it makes, with its events.
    pub(crate) fn batch(&self) -> Option<&WatchBatch> {
        match self {
            Self::Commit(batch) => Some(batch),
            Self::LeaseEnd { batch, .. } => batch.as_ref(),
            _ => None,
        }
    }

    /// Appends the record's bytes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        match self {
            Self::Commit(batch) => {
                out.push(1);
                put_batch(out, batch);
            }
            Self::Grant { lease, ttl } => {
                out.push(2);
                put_number(out, lease.get());
                put_millis(out, *ttl);
            }
            Self::LeaseEnd { lease, batch } => {
                out.push(3);
                put_number(out, lease.get());
                if let Some(batch) = batch {
                    put_batch(out, batch);
                }
            }
            Self::Compact { revision } => {
                out.push(4);
                put_number(out, *revision);
            }
            Self::Probe => out.push(5),
        }
    }

    /// Reads a record.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut decoder = Decoder::new(bytes);
        let version = decoder.byte()?;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let change = match decoder.byte()? {
            1 => Self::Commit(batch(&mut decoder)?),
            2 => Self::Grant {
                lease: decoder.lease()?,
                ttl: decoder.millis()?,
            },
            3 => {
                let lease = decoder.lease()?;
                let more = decoder.end().is_err();
                Self::LeaseEnd {
                    lease,
                    batch: more.then(|| batch(&mut decoder)).transpose()?,
                }
            }
            4 => Self::Compact {
                revision: decoder.number()?,
            },
            5 => Self::Probe,
            _ => return Err(Malformed::Tag.into()),
        };
        decoder.end()?;
        Ok(change)
    }
}

fn put_batch(out: &mut Vec<u8>, batch: &WatchBatch) {
    put_number(out, batch.revision);
    put_number(out, batch.events.len() as u64);
    for event in &*batch.events {
        match event {
            Event::Delete { key } => {
                out.push(0);
                put_bytes(out, key);
            }
            Event::Put(entry) => {
                out.push(1);
                put_entry(out, entry);
            }
        }
    }
}

fn batch(decoder: &mut Decoder<'_>) -> Result<WatchBatch, Malformed> {
    let revision = decoder.number()?;
    let count = decoder.count()?;
    let events = (0..count).map(|_| match decoder.byte()? {
        0 => Ok(Event::Delete {
            key: decoder.key()?,
        }),
        1 => decoder.entry(revision).map(Event::Put),
        _ => Err(Malformed::Tag),
    });
    Ok(WatchBatch {
        revision,
        events: events.collect::<Result<Arc<[Event]>, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlobHash, Entry};

    fn entry(lease: Option<LeaseId>, blobs: &[BlobHash]) -> Arc<Entry> {
        Arc::new(Entry {
            key: "live/spec/services/default/user".into(),
            value: vec![0xa5; 200].into(),
            created: 290,
            modified: 300,
            version: 7,
            lease,
            blobs: blobs.into(),
        })
    }

    /// One of each, as the golden file has them.
    fn changes() -> Vec<Change> {
        let lease = LeaseId::new(1000).unwrap();
        let put = Event::Put(entry(None, &[]));
        let leased = Event::Put(entry(
            Some(lease),
            &[BlobHash::of(b"a"), BlobHash::of(b"b")],
        ));
        let delete = Event::Delete { key: "gone".into() };
        let batch = |events: Vec<Event>| WatchBatch {
            revision: 300,
            events: events.into(),
        };
        vec![
            Change::Commit(batch(vec![put.clone()])),
            Change::Commit(batch(vec![delete.clone(), leased, put])),
            Change::Grant {
                lease,
                ttl: Duration::from_secs(30),
            },
            Change::LeaseEnd { lease, batch: None },
            Change::LeaseEnd {
                lease,
                batch: Some(batch(vec![delete])),
            },
            Change::Compact { revision: 250 },
            Change::Probe,
        ]
    }

    fn encoded(change: &Change) -> Vec<u8> {
        let mut out = Vec::new();
        change.encode(&mut out);
        out
    }

    /// A format change that this test sees needs a new version, and this file stays to be read for ever.
    #[test]
    fn version_1_is_what_the_golden_file_says() {
        let golden = include_str!("../../tests/golden/records-v1.hex");
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let written: Vec<String> = changes()
            .iter()
            .map(|change| hex(&encoded(change)))
            .collect();
        assert_eq!(written, golden.lines().collect::<Vec<_>>());
    }

    #[test]
    fn every_record_reads_back_and_no_part_of_one_does() {
        for change in changes() {
            let bytes = encoded(&change);
            assert_eq!(Change::decode(&bytes), Ok(change.clone()));
            for end in 0..bytes.len() {
                let part = Change::decode(&bytes[..end]);
                let lease_without_batch = matches!(part, Ok(Change::LeaseEnd { batch: None, .. }));
                assert!(
                    part.is_err() || lease_without_batch,
                    "{change:?} cut at {end}: {part:?}"
                );
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(
                Change::decode(&longer).is_err(),
                "{change:?} with a byte more"
            );
        }
    }

    #[test]
    fn a_newer_version_is_refused_as_such() {
        assert_eq!(Change::decode(&[9, 1]), Err(RecordError::Version(9)));
        let message = RecordError::Version(9).to_string();
        assert!(message.contains("start a newer guildhall"), "{message}");
    }
}
