//! A connection's bytes, watched: whether any have come of late, and whether no more will.
//!
//! After a GOAWAY the same error is told to streams that the other side has not looked at and, once the connection has
//! ended, to those that it has. Only while the connection lives is it certain which of the two it is.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock;

/// For how long a connection counts as alive after bytes have come. An error that follows from what was read is noticed
/// sooner; one that follows from silence, later.
const FRESH: Duration = Duration::from_secs(1);

/// What is known of a connection's bytes.
#[derive(Debug)]
pub(super) struct Watch {
    last_read: Mutex<Instant>,
    ended: AtomicBool,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last_read: Mutex::new(now),
            ended: AtomicBool::new(false),
        }
    }

    /// Whether the other side has just said something, and has not ended the connection.
    pub(super) fn is_alive(&self, now: Instant) -> bool {
        let last = *self
            .last_read
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        !self.ended.load(Ordering::Acquire) && now.saturating_duration_since(last) < FRESH
    }

    fn read(&self, now: Instant) {
        *self
            .last_read
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }
}

/// A connection under watch.
pub(super) struct Watched<T> {
    inner: T,
    watch: Arc<Watch>,
}

impl<T> Watched<T> {
    pub(super) fn new(inner: T, watch: Arc<Watch>) -> Self {
        Self { inner, watch }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buffer);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(Ok(())) if buffer.filled().len() > before => self.watch.read(clock::now()),
            Poll::Ready(_) => self.watch.end(),
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> Watched<T> {
    /// A connection that cannot be written to has ended.
    fn wrote<R>(&self, polled: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if let Poll::Ready(Err(_)) = &polled {
            self.watch.end();
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.wrote(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.watch.end();
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
