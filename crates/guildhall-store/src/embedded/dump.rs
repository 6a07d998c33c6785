//! The logical dump: the whole state as bytes, for checkpoints and for snapshots that leave the machine.
//!
//! ```text
//! dump   = "guildhall dump\n" version:u32 item…       version = 1, little endian
//! item   = tag:u8 length body                         numbers are LEB128
//! header = 'H': incarnation revision compacted last-lease
//! lease  = 'L': lease ttl                             before the entries
//! entry  = 'E': modified entry
//! blob   = 'B': bytes                                 snapshots only
//! end    = 'Z': leases entries blobs hash:32          BLAKE3 of everything before this item
//! ```
//!
//! In a checkpoint, whose blocks the log checks already, the hash is left out (zeroes), as it costs more than all else.
//!
//! It knows no log sequence and no file, so that any engine can restore it.

use std::io::{self, BufRead};

use imbl::OrdSet;

use super::{
    codec::{Decoder, Malformed, put_bytes, put_entry, put_millis, put_number},
    tables::{Lease, Tables},
};
use crate::{Entry, LeaseId};

const MAGIC: &[u8] = b"guildhall dump\n";
/// The version that this build writes.
const VERSION: u32 = 1;
/// No item is longer: an entry's transaction is bounded, a blob too.
const MAX_ITEM: u64 = 16 << 20;

/// Why a dump cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// It begins otherwise.
    #[error("this is no guildhall snapshot; check which file was given")]
    NotADump,
    /// A newer version wrote it.
    #[error(
        "the snapshot has format version {0}, this version reads up to {VERSION}; use a newer guildhall"
    )]
    Version(u32),
    /// It has no end.
    #[error("the snapshot is cut off; take or copy it again")]
    CutOff,
    /// Its checksum or its structure is wrong.
    #[error("the snapshot is damaged ({0}); use another copy")]
    Damaged(String),
    /// It could not be read.
    #[error("reading the snapshot failed")]
    Io(#[source] io::Error),
}

impl From<Malformed> for DumpError {
    fn from(malformed: Malformed) -> Self {
        Self::Damaged(malformed.to_string())
    }
}

/// Who notices damage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Checksum {
    /// The dump itself.
    Own,
    /// What carries it: a checkpoint file.
    Carrier,
}

/// Turns a state into bytes, item by item, into a buffer that the caller empties.
pub(crate) struct Encoder {
    hash: Option<blake3::Hasher>,
    body: Vec<u8>,
    leases: u64,
    entries: u64,
    blobs: u64,
}

impl Encoder {
    /// Begins a dump of `tables`.
    pub(crate) fn begin(tables: &Tables, checksum: Checksum, out: &mut Vec<u8>) -> Self {
        let hash = (checksum == Checksum::Own).then(blake3::Hasher::new);
        let mut encoder = Self {
            hash,
            body: Vec::new(),
            leases: 0,
            entries: 0,
            blobs: 0,
        };
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        update(&mut encoder.hash, &out[start..]);
        let numbers = [
            tables.index.incarnation,
            tables.index.revision,
            tables.compacted,
            tables.last_lease,
        ];
        numbers
            .into_iter()
            .for_each(|number| put_number(&mut encoder.body, number));
        encoder.item(b'H', out);
        encoder
    }

    /// Adds the body as an item.
    fn item(&mut self, tag: u8, out: &mut Vec<u8>) {
        let start = out.len();
        out.push(tag);
        put_bytes(out, &self.body);
        update(&mut self.hash, &out[start..]);
        self.body.clear();
    }

    pub(crate) fn lease(&mut self, lease: LeaseId, state: &Lease, out: &mut Vec<u8>) {
        put_number(&mut self.body, lease.get());
        put_millis(&mut self.body, state.ttl);
        self.leases += 1;
        self.item(b'L', out);
    }

    pub(crate) fn entry(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        put_number(&mut self.body, entry.modified);
        put_entry(&mut self.body, entry);
        self.entries += 1;
        self.item(b'E', out);
    }

    pub(crate) fn blob(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.body.extend_from_slice(bytes);
        self.blobs += 1;
        self.item(b'B', out);
    }

    pub(crate) fn end(mut self, out: &mut Vec<u8>) {
        let hash = finalize(&self.hash);
        for count in [self.leases, self.entries, self.blobs] {
            put_number(&mut self.body, count);
        }
        self.body.extend_from_slice(&hash);
        self.item(b'Z', out);
    }
}

fn update(hash: &mut Option<blake3::Hasher>, bytes: &[u8]) {
    if let Some(hash) = hash {
        hash.update(bytes);
    }
}

fn finalize(hash: &Option<blake3::Hasher>) -> [u8; 32] {
    hash.as_ref()
        .map_or([0; 32], |hash| *hash.finalize().as_bytes())
}

/// A dump that was read to its end and found whole. The blobs went to whoever was given them.
#[derive(Debug)]
pub(crate) struct Dump {
    pub(crate) tables: Tables,
    pub(crate) blobs: u64,
}

/// Reads a dump to its end. Blobs are handed on as they come, before it is known whether the dump is whole.
pub(crate) fn read<E: From<DumpError>>(
    input: impl BufRead,
    checksum: Checksum,
    mut blob: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Dump, E> {
    let hash = (checksum == Checksum::Own).then(blake3::Hasher::new);
    let mut input = Input {
        input,
        hash,
        item: Vec::new(),
        body: 0,
    };
    input.preamble()?;
    if input.next()? != b'H' {
        return Err(DumpError::from(Malformed::Tag).into());
    }
    let mut tables = header(&mut input.body()).map_err(DumpError::from)?;
    let (mut leases, mut entries, mut blobs) = (0_u64, 0_u64, 0_u64);
    loop {
        input.accept();
        let tag = input.next()?;
        let mut body = input.body();
        match tag {
            b'L' => {
                leases += 1;
                lease(&mut body, &mut tables).map_err(DumpError::from)?;
            }
            b'E' => {
                entries += 1;
                entry(&mut body, &mut tables).map_err(DumpError::from)?;
            }
            b'B' => {
                blobs += 1;
                blob(body.rest())?;
            }
            b'Z' => {
                end(&mut body, [leases, entries, blobs], finalize(&input.hash))?;
                return Ok(Dump { tables, blobs });
            }
            _ => return Err(DumpError::from(Malformed::Tag).into()),
        }
    }
}

fn header(body: &mut Decoder<'_>) -> Result<Tables, Malformed> {
    let mut tables = Tables::new(body.number()?);
    tables.index.revision = body.number()?;
    tables.compacted = body.number()?;
    tables.last_lease = body.number()?;
    body.end()?;
    Ok(tables)
}

fn lease(body: &mut Decoder<'_>, tables: &mut Tables) -> Result<(), Malformed> {
    let (lease, ttl) = (body.lease()?, body.millis()?);
    tables.leases.insert(
        lease,
        Lease {
            ttl,
            keys: OrdSet::new(),
        },
    );
    body.end()
}

fn entry(body: &mut Decoder<'_>, tables: &mut Tables) -> Result<(), Malformed> {
    let modified = body.number()?;
    let entry = body.entry(modified)?;
    let leased = entry
        .lease
        .is_none_or(|lease| tables.leases.contains_key(&lease));
    if modified > tables.index.revision || !leased {
        return Err(Malformed::Number);
    }
    tables.put(&entry, &mut Vec::new());
    body.end()
}

fn end(body: &mut Decoder<'_>, counts: [u64; 3], hash: [u8; 32]) -> Result<(), DumpError> {
    for count in counts {
        if body.number()? != count {
            return Err(DumpError::Damaged("items are missing".to_owned()));
        }
    }
    if *body.hash()?.as_bytes() != hash {
        return Err(DumpError::Damaged("its checksum does not match".to_owned()));
    }
    Ok(body.end()?)
}

struct Input<R> {
    input: R,
    hash: Option<blake3::Hasher>,
    /// The item being looked at, as it was read, and where its body begins.
    item: Vec<u8>,
    body: usize,
}

impl<R: BufRead> Input<R> {
    /// Reads `count` bytes more into the item.
    fn read(&mut self, count: usize) -> Result<(), DumpError> {
        let start = self.item.len();
        self.item.resize(start + count, 0);
        self.input
            .read_exact(&mut self.item[start..])
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => DumpError::CutOff,
                _ => DumpError::Io(error),
            })
    }

    fn preamble(&mut self) -> Result<(), DumpError> {
        match self.read(MAGIC.len()) {
            Err(DumpError::CutOff) => return Err(DumpError::NotADump),
            read => read?,
        }
        if self.item != MAGIC {
            return Err(DumpError::NotADump);
        }
        self.read(4)?;
        let version = self.item[MAGIC.len()..]
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u32::from(*byte));
        if version != VERSION {
            return Err(DumpError::Version(version));
        }
        self.accept();
        Ok(())
    }

    /// Counts the item into the hash and makes room for the next.
    fn accept(&mut self) {
        update(&mut self.hash, &self.item);
        self.item.clear();
    }

    /// The body of the item that was read last.
    fn body(&self) -> Decoder<'_> {
        Decoder::new(&self.item[self.body..])
    }

    /// Reads the next item and says its tag.
    fn next(&mut self) -> Result<u8, DumpError> {
        self.read(2)?;
        while self.item.last().is_some_and(|byte| byte & 0x80 != 0) && self.item.len() <= 10 {
            self.read(1)?;
        }
        let length = Decoder::new(&self.item[1..]).number()?;
        if length > MAX_ITEM {
            return Err(DumpError::Damaged("an item is too long".to_owned()));
        }
        self.body = self.item.len();
        self.read(length as usize)?;
        Ok(self.item[0])
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::BlobHash;

    fn tables() -> Tables {
        let mut tables = Tables::new(7);
        tables.index.revision = 300;
        tables.compacted = 100;
        tables.last_lease = 9;
        let lease = LeaseId::new(9).unwrap();
        tables.leases.insert(
            lease,
            Lease {
                ttl: Duration::from_secs(10),
                keys: OrdSet::new(),
            },
        );
        for (key, lease, blobs) in [
            ("a", None, Box::default()),
            ("b", Some(lease), Box::default()),
            ("c", None, [BlobHash::of(b"blob")].into()),
        ] {
            let (key, value) = (key.into(), vec![1; 300].into());
            let entry = Entry {
                key,
                value,
                created: 3,
                modified: 300,
                version: 2,
                lease,
                blobs,
            };
            tables.put(&Arc::new(entry), &mut Vec::new());
        }
        tables
    }

    fn encoded(tables: &Tables, checksum: Checksum) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(tables, checksum, &mut out);
        for (lease, state) in &tables.leases {
            encoder.lease(*lease, state, &mut out);
        }
        for entry in tables.entries.iter() {
            encoder.entry(entry, &mut out);
        }
        encoder.blob(b"blob", &mut out);
        encoder.end(&mut out);
        out
    }

    fn decoded(bytes: &[u8]) -> Result<Dump, DumpError> {
        read(bytes, Checksum::Own, |_| Ok::<_, DumpError>(()))
    }

    #[test]
    fn a_dump_reads_back() {
        for checksum in [Checksum::Own, Checksum::Carrier] {
            let mut blobs = Vec::new();
            let bytes = encoded(&tables(), checksum);
            let dump = read(&bytes[..], checksum, |blob| {
                blobs.push(blob.to_vec());
                Ok::<_, DumpError>(())
            });
            let dump = dump.unwrap();
            assert_eq!(dump.tables, tables());
            assert_eq!((dump.blobs, blobs), (1, vec![b"blob".to_vec()]));
        }
    }

    #[test]
    fn no_cut_and_no_flipped_bit_goes_unnoticed() {
        let bytes = encoded(&tables(), Checksum::Own);
        for end in 0..bytes.len() {
            assert!(decoded(&bytes[..end]).is_err(), "cut at {end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decoded(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |bytes: &[u8], expected: &str| {
            let message = decoded(bytes).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        let bytes = encoded(&tables(), Checksum::Own);
        check(b"PK\x03\x04", "no guildhall snapshot");
        check(&bytes[..bytes.len() - 1], "cut off");
        let mut newer = bytes.clone();
        newer[MAGIC.len()] = 2;
        check(&newer, "use a newer guildhall");
        let mut damaged = bytes;
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        check(&damaged, "damaged");
    }

    /// A format change that this test sees needs a new version, and this file stays to be read for ever.
    #[test]
    fn version_1_is_what_the_golden_file_says() {
        let golden = include_bytes!("../../tests/golden/dump-v1.bin");
        assert!(encoded(&tables(), Checksum::Own) == golden);
        assert_eq!(decoded(golden).unwrap().tables, tables());
    }
}
