//! What an owner decides about its log.

use crate::Sequence;

/// How a log lays out and treats its files.
#[derive(Clone, Debug)]
pub struct Options {
    /// Target length of a segment file, header included, in bytes. A group of records that fits into no segment gets
    /// one of its own that is longer. At most 16 GiB. Default 64 MiB.
    pub segment_size: u64,
    /// How many pre-zeroed or recycled segment files are kept ready. A sync into blocks that are already written costs
    /// about half of one that grows the file, because growth commits the file system's journal. The first is made when
    /// the first segment is half full, so that a small log costs little disk; until then the log zeroes a stretch ahead of
    /// its records, up to 1 MiB, in the commits that reach the last one's end. 0: neither; every segment grows with its
    /// records. Default 1.
    pub spares: usize,
    /// Who writes the zeroes of a new spare. Default [`Zeroing::Background`].
    pub zeroing: Zeroing,
    /// What to do about damage, as opposed to a torn tail, which is always cut. Default [`OnDamage::Refuse`].
    pub on_damage: OnDamage,
    /// The longest record accepted, in bytes. Default 16 MiB.
    pub max_record: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_size: 64 << 20,
            spares: 1,
            zeroing: Zeroing::Background,
            on_damage: OnDamage::Refuse,
            max_record: 16 << 20,
        }
    }
}

/// Who writes the zeroes of a new spare segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Zeroing {
    /// A thread of the log's own, in synced chunks with pauses between, away from the commit path.
    Background,
    /// The committing thread, in one go, when it finds that a spare is due: deterministic, for tests.
    Inline,
}

/// What to do when frames that were once synced can no longer be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnDamage {
    /// Refuse to open (and to read), naming file, offset and remedy. For state that must be whole: the control store.
    Refuse,
    /// Copy the damaged part aside, count it, and go on with the next readable record; readers see the jump in the
    /// sequence numbers. For streams: telemetry and the bus.
    Quarantine,
}

/// The first record that an opening log hands to its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Everything that is kept; an empty directory starts at [`Sequence::FIRST`].
    Oldest,
    /// From this sequence on, usually the one after a checkpoint's; an empty directory starts there. It is an error
    /// when the log no longer holds it, and damage when the log ends before it.
    At(Sequence),
}
