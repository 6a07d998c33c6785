//! Gives the room of forgotten blobs back: step by step, beside puts and gets.

use super::{
    shared::{Blobs, Found},
    writer::{Moved, Work},
};
use crate::BlobHash;

/// Bytes moved in one step, roughly: what a put that comes meanwhile may have to wait for.
const STEP: usize = 256 << 10;
/// Blobs looked at under one lock.
const LOOKED: usize = 4096;

/// How far the cleaning of the oldest segment has come. After a step that failed, begin with a new one.
#[derive(Default)]
pub(crate) struct Cleaner {
    segment: u64,
    after: Option<BlobHash>,
}

impl Cleaner {
    /// What is to be done next, after the work before is durable; `None` when nothing is. Reads what is to be moved.
    ///
    /// # Errors
    /// What could not be read, as text.
    pub(crate) fn next(&mut self, blobs: &Blobs) -> Result<Option<Work>, String> {
        let kept = blobs.view.segments();
        let Some(segment) = blobs.index().to_clean(&kept) else {
            return Ok(None);
        };
        if self.segment != segment {
            *self = Self {
                segment,
                after: None,
            };
        }
        let mut moved = Vec::new();
        loop {
            if moved.is_empty() && blobs.index().is_empty(segment) {
                let following = kept.get(1).map(|following| Work::Drop {
                    segment: following.number,
                    first: following.first,
                });
                return Ok(following);
            }
            let (found, after) = blobs.index().within(segment, self.after, LOOKED, STEP);
            for (hash, from) in found {
                match blobs.read(&hash, from)? {
                    Found::Blob(bytes) => moved.push(Moved { hash, from, bytes }),
                    Found::Damage(what) => blobs.damaged(hash, from, &what),
                }
            }
            self.after = after;
            if !moved.is_empty() {
                return Ok(Some(Work::Move(moved)));
            }
            if after.is_none() && !blobs.index().is_empty(segment) {
                // All were looked at, and yet something is kept there: a new walk after the next sweep finds it.
                return Ok(None);
            }
        }
    }
}
