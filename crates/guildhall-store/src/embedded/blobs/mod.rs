//! Blobs: bytes kept under their hash in a log of their own, durable before anyone may name them.
//!
//! ```text
//! put   ─▶ known? answered ─▶ writer (a second log, group commit): one fdatasync for all who wait ─▶ index ─▶ answers
//! get   ─▶ index: hash → segment, offset, length ─▶ one positioned read on a thread of its own ─▶ hash checked
//! sweep ─▶ what nothing named for long leaves the index ─▶ cleaner: moves what is kept out of the oldest segment, drops it
//! ```
//!
//! Why a log of their own, and neither the transactions' log nor files, is argued in docs/design/store.md.
//!
//! - A record is the blob with its hash ([`record`]). The index ([`index`]) is in memory; a start makes it by reading all
//!   records, which checks every one.
//! - A blob that nothing named for the grace period is forgotten, a bounded number a tick, and its record is garbage.
//!   The log gives segments back oldest first, so that its run stays unbroken: so it is always the oldest one that is
//!   cleaned ([`cleaner`]), when more than half of it is garbage, or of all that are no longer written. What is kept is
//!   appended again, and only when that is durable does the segment go. A forgotten blob whose segment is still there is
//!   found again at the next start, and forgotten again.
//! - Earlier versions kept each blob in a file named by its hash: opening moves such files into the log ([`open`]).
//! - Damage costs the blob it hits, never the store: it is found at a start, or when the blob is read or moved. A damaged
//!   blob counts as missing, so that putting the same content writes it anew; the log says its hash and what names it.

mod by_hand;
mod cleaner;
mod index;
mod open;
mod record;
mod shared;
mod writer;

pub(crate) use by_hand::ByHand;
pub(crate) use cleaner::Cleaner;
pub(crate) use open::open;
pub use shared::BlobStatus;
pub(crate) use shared::Blobs;
pub(crate) use writer::{Request, Writer};
