//! The body of an answer: nothing, one piece, or a stream of events.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::serve::Busy;

/// Pieces of a streamed body, as they become ready; `None` at its end, an error to break it off.
pub(crate) type Pieces = Pin<Box<dyn futures_util::Stream<Item = io::Result<Bytes>> + Send>>;

/// The body of an answer. The connection counts as busy until it is dropped.
pub(crate) struct AnswerBody {
    content: Content,
    busy: Option<Busy>,
}

/// What is left to send. A watcher holds a stream for hours, so it stands behind a box.
enum Content {
    Whole(Option<Bytes>),
    Stream(Pieces),
}

impl AnswerBody {
    /// A body that comes piece by piece.
    pub(crate) fn stream(pieces: Pieces) -> Self {
        Self {
            content: Content::Stream(pieces),
            busy: None,
        }
    }

    /// Keeps the connection busy until the body is dropped.
    pub(crate) fn hold(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }

    /// Its length, where that is known.
    pub(crate) fn len(&self) -> Option<usize> {
        match &self.content {
            Content::Whole(bytes) => Some(bytes.as_ref().map_or(0, Bytes::len)),
            Content::Stream(_) => None,
        }
    }
}

impl From<Bytes> for AnswerBody {
    fn from(bytes: Bytes) -> Self {
        Self {
            content: Content::Whole((!bytes.is_empty()).then_some(bytes)),
            busy: None,
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.get_mut().content {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Stream(pieces) => pieces
                .as_mut()
                .poll_next(cx)
                .map(|piece| piece.map(|bytes| bytes.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.content, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        self.len().map_or_else(SizeHint::default, |length| {
            SizeHint::with_exact(length as u64)
        })
    }
}
