//! What goes wrong, and what was counted.

/// How an injected write fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteFault {
    /// Nothing of it is written.
    Error,
    /// This many bytes of it are written before the error.
    Short(usize),
}

/// One kind of sync that is skipped, to show that a test would notice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mutant {
    /// Data syncs of files whose name at that moment ends like this do nothing; `""` means all files.
    SkipDataSync(&'static str),
    /// Directory syncs do nothing.
    SkipDirSync,
}

/// What was done on a disk so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Positioned writes.
    pub writes: u64,
    /// Bytes of those writes.
    pub bytes: u64,
    /// Data syncs.
    pub syncs: u64,
    /// Directory syncs.
    pub dir_syncs: u64,
    /// All changes: what [`super::FaultyFiles::cut_power_after`] counts.
    pub operations: u64,
}

/// The faults that are armed.
#[derive(Clone, Default)]
pub(super) struct Faults {
    /// Changes until the power is cut.
    pub(super) power: Option<u64>,
    pub(super) write: Option<(u64, WriteFault)>,
    pub(super) sync: Option<u64>,
    pub(super) sync_dir: Option<u64>,
    /// Bytes left.
    pub(super) space: Option<u64>,
    pub(super) mutant: Option<Mutant>,
}

/// Counts down to an armed fault; true, and disarmed, when this is the one.
pub(super) fn strikes(armed: &mut Option<u64>) -> bool {
    match armed {
        None => false,
        Some(0) => {
            *armed = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
    }
}
