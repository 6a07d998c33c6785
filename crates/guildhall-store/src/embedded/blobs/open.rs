//! Start: the log of blobs, and the files that earlier versions kept them in.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use guildhall_log::{Log, OnDamage, Start, files::Files};

use super::{
    super::{open::OpenError, published::Published},
    by_hand::ByHand,
    index::{Index, Place},
    record::{self, PREFIX},
    shared::Blobs,
};
use crate::{BlobHash, MAX_BLOB_BYTES};

/// What a file was called, after its blob's hash, before it was complete.
const UNFINISHED: &str = ".new";

/// Reads the index of the blobs in a directory. Those of older versions' files are in the log afterwards, and whatever
/// `published` names and is not there was said.
pub(crate) fn open(
    files: &Arc<dyn Files>,
    options: &guildhall_log::Options,
    grace: Duration,
    published: Arc<Published>,
    now: Instant,
) -> Result<(Arc<Blobs>, Log), OpenError> {
    let mut index = Index::default();
    let options = guildhall_log::Options {
        on_damage: OnDamage::Quarantine,
        max_record: options.max_record.max(PREFIX + MAX_BLOB_BYTES),
        ..options.clone()
    };
    let tables = published.load_full();
    let (log, _) = Log::open(Arc::clone(files), options, Start::Oldest, |record| {
        let (hash, bytes) = record::decode(record.payload)?;
        let place = Place {
            at: record.at,
            length: bytes.len().try_into()?,
        };
        index.insert(hash, place, tables.blobs.contains_key(&hash), now);
        Ok(())
    })?;
    let blobs = Arc::new(Blobs::new(log.view(), grace, published, index));
    let log = take_over(files, &blobs, log, now)?;
    blobs.find_missing();
    Ok((blobs, log))
}

/// Moves the files of the old layout into the log, a group at a time: a file goes when its blob is durable there. What is
/// cut short goes on at the next start.
fn take_over(
    files: &Arc<dyn Files>,
    blobs: &Arc<Blobs>,
    log: Log,
    now: Instant,
) -> Result<Log, OpenError> {
    let failed = |action, name: &str, source| OpenError::Io {
        action,
        file: files.path(name),
        source,
    };
    let names = files
        .list()
        .map_err(|source| failed("listing the blobs in", "", source))?;
    let mut by_hand = ByHand::new(Arc::clone(blobs), log, Arc::default());
    let mut done = Vec::new();
    let mut taken = 0;
    for name in names {
        let Ok(hash) = name.parse::<BlobHash>() else {
            let unfinished = name.strip_suffix(UNFINISHED);
            if unfinished.is_some_and(|hash| hash.parse::<BlobHash>().is_ok()) {
                done.push(name);
            }
            continue;
        };
        let bytes =
            read(files, &name).map_err(|source| failed("reading the blob", &name, source))?;
        if BlobHash::of(&bytes) != hash {
            tracing::error!(%hash, "the file of a blob is damaged; it stays where it is");
            continue;
        }
        let put = by_hand.put_one_of_many(&bytes, now);
        let (_, full) =
            put.map_err(|error| failed("moving the blob", &name, io::Error::other(error)))?;
        done.push(name);
        taken += 1;
        if full {
            remove(files, &mut by_hand, &mut done, now)?;
        }
    }
    remove(files, &mut by_hand, &mut done, now)?;
    if taken > 0 {
        tracing::info!(
            blobs = taken,
            "blobs of an earlier version were moved into their log"
        );
    }
    Ok(by_hand.into_log())
}

/// Makes durable what was put, then removes the files it came from.
fn remove(
    files: &Arc<dyn Files>,
    by_hand: &mut ByHand,
    done: &mut Vec<String>,
    now: Instant,
) -> Result<(), OpenError> {
    let failed = |action, name: &str, source| OpenError::Io {
        action,
        file: files.path(name),
        source,
    };
    by_hand
        .commit(now)
        .map_err(|error| failed("moving blobs into the log in", "", io::Error::other(error)))?;
    for name in done.drain(..) {
        files
            .remove(&name)
            .map_err(|source| failed("removing", &name, source))?;
    }
    Ok(())
}

fn read(files: &Arc<dyn Files>, name: &str) -> io::Result<Vec<u8>> {
    let file = files.open(name)?;
    let length = file.length()?.min(MAX_BLOB_BYTES as u64 + 1);
    let mut bytes = vec![0; length as usize];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}
