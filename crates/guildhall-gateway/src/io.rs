//! Sockets as hyper sees them: every byte of a client passes the scanner first, and small messages
//! are written in one piece.

use std::{
    cell::{Cell, RefCell},
    io,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use smallvec::SmallVec;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::scanner::{Scanner, Violation};

/// What a client's reading and writing show to the rest of the worker. Atomics only because hyper
/// asks an upgraded socket to be `Send`; one thread uses them.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// Changes with every read and write.
    activity: AtomicU32,
    /// The number of the head that has begun and not ended; 0 if none.
    head: AtomicU32,
    /// The first message with more than one reading, and why: number << 8 | code; 0 if none.
    violation: AtomicU64,
    /// An upgrade was refused: requests may follow.
    resume: AtomicBool,
    /// An upgrade was accepted: no requests follow.
    tunnel: AtomicBool,
}

impl Observed {
    pub(crate) fn activity(&self) -> u32 {
        self.activity.load(Relaxed)
    }

    pub(crate) fn head(&self) -> Option<u32> {
        Some(self.head.load(Relaxed)).filter(|head| *head > 0)
    }

    /// Notes a read or write, and the head that is incomplete after it.
    pub(crate) fn note(&self, head: Option<u32>) {
        self.active();
        self.head.store(head.unwrap_or(0), Relaxed);
    }

    fn active(&self) {
        self.activity
            .store(self.activity.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Why `message` must be refused, if it must.
    pub(crate) fn violation(&self, message: u32) -> Option<Violation> {
        let noted = self.violation.load(Relaxed);
        let (number, code) = (noted >> 8, noted & 0xff);
        if noted == 0 || u64::from(message) < number {
            return None;
        }
        u8::try_from(code).ok().and_then(Violation::from_code)
    }

    /// An upgrade was refused.
    pub(crate) fn resume(&self) {
        self.resume.store(true, Relaxed);
    }

    /// An upgrade was accepted.
    pub(crate) fn tunnel(&self) {
        self.tunnel.store(true, Relaxed);
    }
}

/// A client's socket.
#[derive(Debug)]
pub(crate) struct ClientStream {
    stream: TcpStream,
    scanner: Scanner,
    observed: Arc<Observed>,
}

impl ClientStream {
    pub(crate) fn new(stream: TcpStream, max_head: usize, observed: Arc<Observed>) -> Self {
        Self {
            stream,
            scanner: Scanner::new(max_head),
            observed,
        }
    }

    fn look(&mut self, bytes: &[u8]) {
        if self.observed.resume.load(Relaxed) {
            self.observed.resume.store(false, Relaxed);
            self.scanner.resume();
        }
        if self.observed.tunnel.load(Relaxed) {
            self.scanner.tunnel();
        }
        self.scanner.scan(bytes);
        self.observed
            .note(self.scanner.in_head().then(|| self.scanner.messages()));
        if let Some((message, violation)) = self.scanner.violation() {
            self.observed
                .violation
                .store(u64::from(message) << 8 | violation as u64, Relaxed);
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            this.look(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes))?;
        this.observed.active();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(write_slices(&mut this.stream, cx, slices))?;
        this.observed.active();
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// What was written of a request that may be sent again: its head, as it went over the wire.
///
/// A request is gone once hyper has written it, and to copy its headers beforehand costs twenty
/// times what it costs to copy the bytes.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    armed: Cell<bool>,
    bytes: RefCell<Vec<u8>>,
}

/// The most bytes of a head that are kept.
const MOST_KEPT: usize = 16 * 1024;

impl Sent {
    /// Keeps what is written next, or does not.
    pub(crate) fn arm(&self, keep: bool) {
        self.armed.set(keep);
        self.bytes.borrow_mut().clear();
    }

    fn note(&self, slices: &[io::IoSlice<'_>]) {
        // The first write is offered the whole head, also if only a part of it, or nothing, gets
        // through.
        if self.armed.take() {
            let mut bytes = self.bytes.borrow_mut();
            for slice in slices.iter().filter(|slice| slice.len() <= MOST_KEPT) {
                bytes.extend_from_slice(slice);
            }
        }
    }

    /// What was kept.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.bytes.take()
    }
}

/// A backend's socket.
#[derive(Debug)]
pub(crate) struct BackendStream {
    stream: TcpStream,
    sent: Rc<Sent>,
}

impl BackendStream {
    pub(crate) fn new(stream: TcpStream, sent: Rc<Sent>) -> Self {
        Self { stream, sent }
    }

    pub(crate) fn into_inner(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for BackendStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for BackendStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.sent.note(&[io::IoSlice::new(bytes)]);
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.sent.note(slices);
        write_slices(&mut this.stream, cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// Up to this many bytes a copy is cheaper than what the kernel does for several pieces.
const SMALL: usize = 4 * 1024;

/// Writes several pieces in one call, as one piece if they are small.
fn write_slices(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    slices: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let total: usize = slices.iter().map(|slice| slice.len()).sum();
    match slices {
        [only] => Pin::new(stream).poll_write(cx, only),
        _ if total <= SMALL => {
            let mut piece = SmallVec::<[u8; SMALL]>::new();
            for slice in slices {
                piece.extend_from_slice(slice);
            }
            Pin::new(stream).poll_write(cx, &piece)
        }
        _ => Pin::new(stream).poll_write_vectored(cx, slices),
    }
}
