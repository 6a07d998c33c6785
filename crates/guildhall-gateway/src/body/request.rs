//! A client's body on its way to a backend: counted and watched; held only where a policy may have it sent again.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{Held, held::Reader};
use crate::{clock, upstream::Upload};

/// A client's body on its way to a backend.
#[derive(Debug, Default)]
pub(crate) struct RequestBody {
    source: Source,
    upload: Option<Rc<Upload>>,
}

#[derive(Debug, Default)]
enum Source {
    /// There is nothing, or nothing any more.
    #[default]
    Empty,
    /// As it comes in.
    Passing(Incoming),
    /// As it comes in, from the beginning again if need be.
    Held(Reader),
}

impl RequestBody {
    /// A body, and how far it has come; without one if there is nothing in it.
    pub(crate) fn new(incoming: Incoming) -> Self {
        if incoming.is_end_stream() {
            return Self::default();
        }
        Self {
            source: Source::Passing(incoming),
            upload: Some(Rc::default()),
        }
    }

    /// How far it has come.
    pub(crate) fn upload(&self) -> Option<&Rc<Upload>> {
        self.upload.as_ref()
    }

    /// Keeps what passes, up to `most` bytes, so that it can be sent [again](Held::again); `None` if there is nothing
    /// to keep. One that is kept already stays as it is.
    pub(crate) fn hold(&mut self, most: usize) -> Option<Held> {
        let upload = Rc::clone(self.upload.as_ref()?);
        match std::mem::take(&mut self.source) {
            Source::Passing(incoming) => {
                let held = Held::new(incoming, upload, most);
                self.source = Source::Held(held.reader());
                Some(held)
            }
            Source::Held(reader) => {
                let held = reader.held();
                self.source = Source::Held(reader);
                Some(held)
            }
            Source::Empty => None,
        }
    }

    /// What is held, from its beginning.
    pub(super) fn of(reader: Reader, upload: Rc<Upload>) -> Self {
        Self {
            source: Source::Held(reader),
            upload: Some(upload),
        }
    }
}

/// Notes what passed of a client's body.
pub(super) fn count(
    frame: &Option<Result<Frame<Bytes>, hyper::Error>>,
    over: bool,
    upload: &Upload,
) {
    let mut ended = over;
    match frame {
        Some(Ok(frame)) => {
            if let Some(data) = frame.data_ref() {
                upload.bytes.set(upload.bytes.get() + data.len() as u64);
            }
            ended |= frame.is_trailers();
        }
        Some(Err(_)) | None => ended = true,
    }
    if ended && upload.ended.get().is_none() {
        upload.ended.set(Some(clock::now()));
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        match &mut this.source {
            Source::Empty => Poll::Ready(None),
            Source::Passing(incoming) => {
                let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
                if let Some(upload) = &this.upload {
                    count(&frame, incoming.is_end_stream(), upload);
                }
                Poll::Ready(frame)
            }
            Source::Held(reader) => reader.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Empty => true,
            Source::Passing(incoming) => incoming.is_end_stream(),
            Source::Held(reader) => reader.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::Passing(incoming) => incoming.size_hint(),
            Source::Held(reader) => reader.size_hint(),
        }
    }
}
