//! A client's body that may have to be sent again: passed on as it comes, and kept as long as it is small.
//!
//! Nothing waits for the whole of it: an attempt is sent what is there and then what comes. One that is larger than what
//! is held goes on as any other body does, and cannot be sent again.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use guildhall_resilience::retry::Body as Repeatable;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use smallvec::SmallVec;

use super::{RequestBody, request::count};
use crate::upstream::Upload;

/// A body in more pieces than this is not held: each has a cost of its own.
const MOST_PIECES: usize = 1024;

/// A body that is kept while it passes.
#[derive(Debug)]
pub(crate) struct Held(Rc<Kept>);

/// One pass over it.
#[derive(Debug)]
pub(crate) struct Reader {
    kept: Rc<Kept>,
    /// The next piece.
    at: usize,
}

#[derive(Debug)]
struct Kept {
    state: RefCell<State>,
    upload: Rc<Upload>,
    /// What the client announced.
    size: SizeHint,
    most: usize,
}

#[derive(Debug)]
struct State {
    /// The rest; `None` once it has ended.
    incoming: Option<Incoming>,
    pieces: SmallVec<[Bytes; 2]>,
    trailers: Option<HeaderMap>,
    bytes: usize,
    /// More came than is kept: what passed is gone.
    outgrown: bool,
}

impl Held {
    pub(super) fn new(incoming: Incoming, upload: Rc<Upload>, most: usize) -> Self {
        let size = incoming.size_hint();
        // One that says at once that it is too large is not kept in part.
        let outgrown = size.lower() > most as u64;
        Self(Rc::new(Kept {
            state: RefCell::new(State {
                incoming: Some(incoming),
                pieces: SmallVec::new(),
                trailers: None,
                bytes: 0,
                outgrown,
            }),
            upload,
            size,
            most,
        }))
    }

    pub(super) fn reader(&self) -> Reader {
        Reader {
            kept: Rc::clone(&self.0),
            at: 0,
        }
    }

    /// Whether it can be sent again at present.
    pub(crate) fn repeatable(&self) -> Repeatable {
        if self.0.state.borrow().outgrown {
            Repeatable::Streamed
        } else {
            Repeatable::Held
        }
    }

    /// Whether all of it has come and is held: then two attempts may read it at once.
    pub(crate) fn is_whole(&self) -> bool {
        let state = self.0.state.borrow();
        state.incoming.is_none() && !state.outgrown
    }

    /// The body from its beginning, for another attempt; the one before must not be read any more unless all of it
    /// [has come](Held::is_whole). `None` if it is too large to be held.
    pub(crate) fn again(&self) -> Option<RequestBody> {
        if self.0.state.borrow().outgrown {
            return None;
        }
        Some(RequestBody::of(self.reader(), Rc::clone(&self.0.upload)))
    }
}

impl Reader {
    /// What it reads.
    pub(super) fn held(&self) -> Held {
        Held(Rc::clone(&self.kept))
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let kept = &*self.kept;
        let state = &mut *kept.state.borrow_mut();
        if let Some(piece) = state.pieces.get(self.at) {
            self.at += 1;
            return Poll::Ready(Some(Ok(Frame::data(piece.clone()))));
        }
        let Some(incoming) = &mut state.incoming else {
            // The trailers come once, behind the last piece.
            let trailers = (self.at == state.pieces.len())
                .then(|| state.trailers.clone())
                .flatten();
            self.at = usize::MAX;
            return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
        };
        let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
        let over = incoming.is_end_stream();
        count(&frame, over, &kept.upload);
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    state.keep(data, kept.most);
                    // Of one that is outgrown there is nothing to read again.
                    self.at = state.pieces.len();
                } else if let Some(trailers) = frame.trailers_ref() {
                    state.trailers = Some(trailers.clone());
                    self.at = usize::MAX;
                    state.incoming = None;
                }
            }
            // What broke off cannot be sent as a whole.
            Some(Err(_)) => state.outgrown = true,
            None => {}
        }
        if over || frame.is_none() {
            state.incoming = None;
        }
        Poll::Ready(frame)
    }

    pub(super) fn is_end(&self) -> bool {
        let state = self.kept.state.borrow();
        let read = self.at >= state.pieces.len();
        let trailers = state.trailers.is_some() && self.at != usize::MAX;
        read && !trailers && state.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        // Asked before anything is read, for the head; behind that nobody cares.
        self.kept.size
    }
}

impl State {
    fn keep(&mut self, data: &Bytes, most: usize) {
        if self.outgrown {
            return;
        }
        self.bytes += data.len();
        if self.bytes > most || self.pieces.len() >= MOST_PIECES {
            self.outgrown = true;
            self.pieces = SmallVec::new();
            return;
        }
        // A copy: a piece of a few bytes would keep the whole buffer that it was read into.
        self.pieces.push(Bytes::copy_from_slice(data));
    }
}
