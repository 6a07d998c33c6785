//! Beginning a segment: it appears under its name only when it is whole and durable.

use std::{io, sync::Arc};

use crate::{
    Sequence,
    files::Files,
    segment::{self, BODY, Header, Segment},
    spare::{Spare, Spares},
};

/// A segment that was begun.
pub(super) struct Begun {
    pub(super) segment: Arc<Segment>,
    pub(super) recycled: bool,
}

/// Why a segment could not be begun.
pub(super) enum BeginError {
    /// Nothing has changed; it may be tried again.
    Refused(io::Error),
    /// It may be there or not, now or after a power loss.
    Unknown(io::Error),
}

impl BeginError {
    pub(super) fn into_source(self) -> io::Error {
        match self {
            Self::Refused(source) | Self::Unknown(source) => source,
        }
    }
}

/// Makes a file a segment: header, sync, rename, directory sync. Only then may records go into it.
pub(super) fn begin(
    files: &dyn Files,
    spares: &mut Spares,
    number: u64,
    first: Sequence,
) -> Result<Begun, BeginError> {
    let spare = spares.take();
    let recycled = spare.is_some();
    let spare = match spare {
        Some(spare) => spare,
        None => {
            let name = spares.name();
            let file = files.create(&name).map_err(BeginError::Refused)?;
            Spare { name, file }
        }
    };
    let header = Header {
        number,
        first,
        salt: segment::salt(),
    };
    let mut sector = [0; BODY as usize];
    sector[..segment::HEADER].copy_from_slice(&header.encode());
    if let Err(error) = spare.file.write_at(0, &sector) {
        // Left behind, it is found and judged again at the next opening.
        let _ = files.remove(&spare.name);
        return Err(BeginError::Refused(error));
    }
    spare.file.sync_data().map_err(BeginError::Unknown)?;
    let name = segment::name(number);
    if let Err(error) = files.rename(&spare.name, &name) {
        return Err(match files.open(&name) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                let _ = files.remove(&spare.name);
                BeginError::Refused(error)
            }
            _ => BeginError::Unknown(error),
        });
    }
    files.sync_dir().map_err(BeginError::Unknown)?;
    Ok(Begun {
        segment: Arc::new(Segment::new(&header, spare.file, BODY)),
        recycled,
    })
}
