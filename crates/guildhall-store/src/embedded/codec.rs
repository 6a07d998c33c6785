//! The bytes that records and dumps are made of: LEB128 numbers, length-prefixed byte strings, and entries.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{BlobHash, Entry, LeaseId};

/// Bytes that are not what this version writes. They passed a checksum, so a program wrote them so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("it ends too early")]
    Short,
    #[error("a number is out of its range")]
    Number,
    #[error("a tag or flag is not known")]
    Tag,
    #[error("bytes are left over")]
    Excess,
}

pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_millis(out: &mut Vec<u8>, duration: Duration) {
    put_number(out, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
}

/// Which optional parts an encoded entry has.
mod flag {
    pub(super) const LEASE: u8 = 1;
    pub(super) const BLOBS: u8 = 2;
    pub(super) const ALL: u8 = LEASE | BLOBS;
}

/// Everything of an entry but `modified`, which its surroundings tell.
pub(crate) fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    let lease = if entry.lease.is_some() {
        flag::LEASE
    } else {
        0
    };
    let blobs = if entry.blobs.is_empty() {
        0
    } else {
        flag::BLOBS
    };
    out.push(lease | blobs);
    put_bytes(out, &entry.key);
    put_bytes(out, &entry.value);
    put_number(out, entry.modified.saturating_sub(entry.created));
    put_number(out, entry.version);
    if let Some(lease) = entry.lease {
        put_number(out, lease.get());
    }
    if !entry.blobs.is_empty() {
        put_number(out, entry.blobs.len() as u64);
        entry
            .blobs
            .iter()
            .for_each(|hash| out.extend_from_slice(hash.as_bytes()));
    }
}

/// Takes what the `put_` functions wrote from the front of a slice.
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Malformed::Excess)
        }
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.rest.split_first().ok_or(Malformed::Short)?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed::Number);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed::Number)
    }

    /// A count of things that take at least one byte each, so that a broken one reserves no absurd memory.
    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        let count = usize::try_from(self.number()?).map_err(|_| Malformed::Number)?;
        if count > self.rest.len() {
            Err(Malformed::Short)
        } else {
            Ok(count)
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let count = self.count()?;
        self.take(count)
    }

    pub(crate) fn key(&mut self) -> Result<Bytes, Malformed> {
        self.bytes().map(Bytes::copy_from_slice)
    }

    pub(crate) fn millis(&mut self) -> Result<Duration, Malformed> {
        self.number().map(Duration::from_millis)
    }

    pub(crate) fn lease(&mut self) -> Result<LeaseId, Malformed> {
        LeaseId::new(self.number()?).ok_or(Malformed::Number)
    }

    pub(crate) fn hash(&mut self) -> Result<BlobHash, Malformed> {
        let bytes = self.take(BlobHash::BYTES)?;
        bytes
            .try_into()
            .map(BlobHash::new)
            .map_err(|_| Malformed::Short)
    }

    pub(crate) fn entry(&mut self, modified: u64) -> Result<Arc<Entry>, Malformed> {
        let flags = self.byte()?;
        if flags & !flag::ALL != 0 {
            return Err(Malformed::Tag);
        }
        let key = self.key()?;
        let value = self.key()?;
        let created = modified
            .checked_sub(self.number()?)
            .ok_or(Malformed::Number)?;
        let version = self.number()?;
        let lease = (flags & flag::LEASE != 0)
            .then(|| self.lease())
            .transpose()?;
        let blobs = if flags & flag::BLOBS == 0 {
            Box::default()
        } else {
            let count = self.count()?;
            (0..count).map(|_| self.hash()).collect::<Result<_, _>>()?
        };
        Ok(Arc::new(Entry {
            key,
            value,
            created,
            modified,
            version,
            lease,
            blobs,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_oversized_ones_are_refused() {
        for number in [
            0,
            1,
            127,
            128,
            300,
            u64::from(u32::MAX),
            u64::MAX - 1,
            u64::MAX,
        ] {
            let mut out = Vec::new();
            put_number(&mut out, number);
            let mut decoder = Decoder::new(&out);
            assert_eq!(decoder.number(), Ok(number));
            assert_eq!(decoder.end(), Ok(()));
            assert_eq!(
                Decoder::new(&out[..out.len() - 1]).number(),
                Err(Malformed::Short)
            );
        }
        assert_eq!(Decoder::new(&[0xff; 9]).number(), Err(Malformed::Short));
        assert_eq!(Decoder::new(&[0xff; 10]).number(), Err(Malformed::Number));
        let mut beyond = vec![0x80; 9];
        beyond.push(2);
        assert_eq!(Decoder::new(&beyond).number(), Err(Malformed::Number));
    }

    #[test]
    fn a_broken_count_reserves_nothing() {
        let mut out = Vec::new();
        put_number(&mut out, u64::MAX / 2);
        assert_eq!(Decoder::new(&out).bytes(), Err(Malformed::Short));
    }
}
