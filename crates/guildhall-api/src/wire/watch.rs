//! The events of a watch, typed, and as they stand in an event stream.

use guildhall_core::document::{Document, Index, IndexError, read};
use guildhall_core::source::EventKind;
use serde::{Deserialize, Serialize};

use super::{DeletedDocument, DocumentError, read_document, sse};

/// Writes an event as it stands in the stream. `data` is JSON on one line; a bookmark's is `{}`.
/// `id` belongs on a revision's last event only, so that a resumed stream never begins in the
/// middle of one.
pub fn encode_event(kind: EventKind, id: Option<Index>, data: &[u8], out: &mut Vec<u8>) {
    let id = id.map(|id| id.to_string());
    sse::encode(kind.word(), id.as_deref(), data, out);
}

/// Why everything follows anew: the data of a `resync`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resync {
    /// `compacted`, `overflow` or `restored`.
    pub reason: String,
}

/// One event of a watch.
#[derive(Clone, Debug, PartialEq)]
pub enum WatchEvent {
    /// A document is new, or is told for the first time.
    Added(Document),
    /// A document or its status is different.
    Modified(Document),
    /// A document is gone, or left the filter.
    Deleted(DeletedDocument),
    /// Everything up to here has been told.
    Bookmark,
    /// What was told no longer holds; everything follows anew, then a bookmark.
    Resync(Resync),
}

/// An event that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WatchEventError {
    /// Its document cannot be read; the stream goes on without it.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Its name is none of the watch's.
    #[error("an event named {0:?}, which this build does not know")]
    UnknownEvent(String),
    /// Its id is not an index.
    #[error(transparent)]
    Id(#[from] IndexError),
}

impl WatchEvent {
    /// Reads a frame of the stream: the event and the index it completes, if it completes one.
    pub fn read(frame: &sse::Frame) -> Result<(Option<Index>, Self), WatchEventError> {
        let id = frame
            .id
            .as_deref()
            .filter(|id| !id.is_empty())
            .map(str::parse)
            .transpose()?;
        let malformed = |cause| DocumentError::malformed(&frame.data, cause);
        let event = match frame.event.as_str() {
            "added" => Self::Added(read_document(&frame.data)?),
            "modified" => Self::Modified(read_document(&frame.data)?),
            "deleted" => Self::Deleted(read(frame.data.as_bytes()).map_err(malformed)?),
            "bookmark" => Self::Bookmark,
            "resync" => Self::Resync(read(frame.data.as_bytes()).map_err(malformed)?),
            other => return Err(WatchEventError::UnknownEvent(other.to_owned())),
        };
        Ok((id, event))
    }

    /// Its name.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Added(_) => EventKind::Added,
            Self::Modified(_) => EventKind::Modified,
            Self::Deleted(_) => EventKind::Deleted,
            Self::Bookmark => EventKind::Bookmark,
            Self::Resync(_) => EventKind::Resync,
        }
    }

    /// Writes the event as it stands in the stream.
    pub fn write(&self, id: Option<Index>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let data = match self {
            Self::Added(document) | Self::Modified(document) => serde_json::to_vec(document)?,
            Self::Deleted(deleted) => serde_json::to_vec(deleted)?,
            Self::Bookmark => b"{}".to_vec(),
            Self::Resync(resync) => serde_json::to_vec(resync)?,
        };
        encode_event(self.kind(), id, &data, out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use guildhall_core::{
        document::{DocumentKey, Kind, Metadata, Namespace, Object},
        registry::Service,
    };

    use super::*;

    #[test]
    fn every_event_reads_back() {
        let object = Object::new(
            Metadata::named(Namespace::default(), "a"),
            Service::default(),
        );
        let key = DocumentKey::new(Kind::Instance, Namespace::default(), "a/1");
        let events = [
            WatchEvent::Added(object.clone().into()),
            WatchEvent::Modified(object.into()),
            WatchEvent::Deleted((&key).into()),
            WatchEvent::Bookmark,
            WatchEvent::Resync(Resync {
                reason: "compacted".into(),
            }),
        ];
        let id = Some(Index {
            incarnation: 3,
            revision: 9,
        });
        let mut bytes = Vec::new();
        for event in &events {
            event.write(id, &mut bytes).unwrap();
        }
        let mut decoder = sse::Decoder::new(1 << 20);
        decoder.push(&bytes).unwrap();
        for event in events {
            let frame = decoder.next_frame().unwrap();
            assert_eq!(WatchEvent::read(&frame).unwrap(), (id, event));
        }
        assert!(decoder.next_frame().is_none());
    }
}
