//! The decoders of what is on disk, for the fuzz targets: private to everybody else.

use super::{
    dump::{self, Checksum, DumpError, Encoder},
    record::Change,
};

/// A record of the log, read and written again; `None` if it is none.
pub fn record(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut again = Vec::new();
    Change::decode(bytes).ok()?.encode(&mut again);
    Some(again)
}

/// A snapshot of the store, read and written again; `None` if it is none. With `carried` its checksum is another's
/// affair, as in a checkpoint.
pub fn dump(bytes: &[u8], carried: bool) -> Option<Vec<u8>> {
    let checksum = match carried {
        true => Checksum::Carrier,
        false => Checksum::Own,
    };
    let mut blobs = Vec::new();
    let take = |blob: &[u8]| {
        blobs.push(blob.to_vec());
        Ok::<_, DumpError>(())
    };
    let tables = dump::read(bytes, checksum, take).ok()?.tables;
    let mut again = Vec::new();
    let mut encoder = Encoder::begin(&tables, checksum, &mut again);
    for (lease, state) in &tables.leases {
        encoder.lease(*lease, state, &mut again);
    }
    for entry in tables.entries.iter() {
        encoder.entry(entry, &mut again);
    }
    for blob in &blobs {
        encoder.blob(blob, &mut again);
    }
    encoder.end(&mut again);
    Some(again)
}
