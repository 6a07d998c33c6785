//! Finding the kept segments: names, headers, and the unbroken run they must form.

use std::sync::Arc;

use super::Recovery;
use crate::{
    Damage, OpenError,
    files::File,
    frame,
    segment::{self, BadHeader, Header, Segment, VERSION},
};

impl Recovery<'_, '_> {
    /// All segments, oldest first, sealed where a later one follows.
    pub(super) fn segments(&mut self) -> Result<Vec<Arc<Segment>>, OpenError> {
        let names = self
            .files
            .list()
            .map_err(|source| self.failed("listing", "", source))?;
        let mut numbers: Vec<u64> = names
            .iter()
            .filter_map(|name| segment::number(name))
            .collect();
        numbers.sort_unstable();
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(numbers.len());
        for number in numbers {
            self.highest = number;
            let Some(segment) = self.segment(number)? else {
                continue;
            };
            self.lost = 0;
            if let Some(previous) = segments.last() {
                if previous.number + 1 != number
                    && !self.quarantined_between(previous.number, number)
                {
                    let file = self.files.path(&segment::name(previous.number + 1));
                    let what = format!(
                        "the file is missing, though {} follows it",
                        segment::name(number)
                    );
                    self.damaged(Damage {
                        file,
                        offset: 0,
                        what,
                    })?;
                }
                previous.seal(segment.first);
            }
            segments.push(Arc::new(segment));
        }
        Ok(segments)
    }

    /// Opens one segment; `None` when its header is damaged and the file was set aside.
    fn segment(&mut self, number: u64) -> Result<Option<Segment>, OpenError> {
        let name = segment::name(number);
        let read = || -> std::io::Result<(Arc<dyn File>, u64, Vec<u8>)> {
            let file = self.files.open(&name)?;
            let length = file.length()?;
            let mut header = vec![0; segment::HEADER];
            let read = file.read_at(0, &mut header)?;
            header.truncate(read);
            Ok((file, length, header))
        };
        let (file, length, header) =
            read().map_err(|source| self.failed("reading", &name, source))?;
        match Header::decode(&header) {
            Ok(header) if header.number == number => Ok(Some(Segment::new(&header, file, length))),
            Err(BadHeader::Version(found)) => Err(OpenError::Version {
                file: self.files.path(&name),
                found,
                supported: VERSION,
            }),
            _ => {
                let what = "its header is not the one that was written".to_owned();
                self.damaged(Damage {
                    file: self.files.path(&name),
                    offset: 0,
                    what,
                })?;
                self.lost += length / frame::HEADER as u64;
                let aside = format!("{number:020}-0.damaged");
                self.files
                    .rename(&name, &aside)
                    .and_then(|()| self.files.sync_dir())
                    .map_err(|source| self.failed("renaming", &name, source))?;
                Ok(None)
            }
        }
    }

    /// Whether every number between the two was set aside just now, and so is reported already.
    fn quarantined_between(&self, before: u64, after: u64) -> bool {
        (before + 1..after).all(|number| {
            let file = self.files.path(&segment::name(number));
            self.quarantined
                .iter()
                .any(|damage| damage.file == file && damage.offset == 0)
        })
    }
}
