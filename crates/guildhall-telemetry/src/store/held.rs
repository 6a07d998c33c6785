//! Blocks that a store has, by the records that are in them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use guildhall_log::Sequence;
use guildhall_log::files::Files;

use crate::block::{self, Block, ReadError};

/// A block, and from which record to which it has all.
pub(super) struct Held {
    pub(super) name: String,
    pub(super) last: Sequence,
    pub(super) block: Block,
    /// It was found to be damaged, which is told once.
    is_damaged: AtomicBool,
}

impl Held {
    pub(super) fn open(files: &dyn Files, name: String) -> Result<Self, ReadError> {
        let last = last_of(&name).ok_or(ReadError::Damaged("its name names no records"))?;
        Ok(Self {
            block: Block::open(files, &name)?,
            name,
            last,
            is_damaged: AtomicBool::new(false),
        })
    }

    /// Notes that it could not be read; whether that is news.
    pub(super) fn note(&self, error: &ReadError) -> bool {
        let is_news = !self.is_damaged.swap(true, Ordering::Relaxed);
        if is_news {
            tracing::error!(%error, block = self.name, "a block of traces cannot be read; the others are");
        }
        is_news
    }
}

/// The name of the block that has all records from `first` to `last`.
pub(super) fn name(first: Sequence, last: Sequence) -> String {
    format!("{:016x}-{:016x}", first.get(), last.get())
}

fn last_of(name: &str) -> Option<Sequence> {
    let (first, last) = name.split_once('-')?;
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    number(first)?;
    Some(Sequence::new(number(last)?))
}

/// Every block that can be read, the oldest first, and how many cannot.
pub(super) fn open_all(files: &dyn Files) -> io::Result<(Vec<Arc<Held>>, u32)> {
    let (mut blocks, mut unreadable) = (Vec::new(), 0);
    for name in block::list(files)? {
        match Held::open(files, name.clone()) {
            Ok(held) => blocks.push(Arc::new(held)),
            Err(error) => {
                tracing::error!(%error, block = name, "a block of traces cannot be read; the others are");
                unreadable += 1;
            }
        }
    }
    blocks.sort_by_key(|held| held.last);
    Ok((blocks, unreadable))
}
