//! What a connection speaks: HTTP/2 begins with a preface that no HTTP/1 request begins with (RFC 9113, section 3.4).
//!
//! hyper-util's automatic connection tells the same, but waits for the first bytes as long as a peer likes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    time::timeout,
};

use crate::serve::HEAD_TIMEOUT;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    Http1,
    Http2,
}

/// Reads until it is clear what `io` speaks, for as long as a head may take. A peer that hangs up before speaks HTTP/1,
/// which will notice.
pub(super) async fn tell<T: AsyncRead + Unpin>(io: T) -> io::Result<(Speaks, Reread<T>)> {
    let told = timeout(HEAD_TIMEOUT, read(io)).await;
    told.unwrap_or_else(|_| {
        let silent = "the peer did not say what it speaks";
        Err(io::Error::new(io::ErrorKind::TimedOut, silent))
    })
}

async fn read<T: AsyncRead + Unpin>(mut io: T) -> io::Result<(Speaks, Reread<T>)> {
    let mut begin = [0; PREFACE.len()];
    let mut read = 0;
    let speaks = loop {
        if read == PREFACE.len() {
            break Speaks::Http2;
        }
        let more = io.read(&mut begin[read..]).await?;
        read += more;
        if more == 0 || begin[..read] != PREFACE[..read] {
            break Speaks::Http1;
        }
    };
    let reread = Reread {
        io,
        begin,
        at: 0,
        end: read,
    };
    Ok((speaks, reread))
}

/// A connection of which the first bytes are read once more.
pub(super) struct Reread<T> {
    io: T,
    begin: [u8; PREFACE.len()],
    at: usize,
    end: usize,
}

impl<T: AsyncRead + Unpin> AsyncRead for Reread<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.at == self.end {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let size = buffer.remaining().min(self.end - self.at);
        buffer.put_slice(&self.begin[self.at..self.at + size]);
        self.at += size;
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Reread<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Sent in pieces of `size`, it speaks that, and nothing is lost.
    async fn check(sent: &[u8], size: usize, expect: Speaks) {
        let (mut ours, theirs) = tokio::io::duplex(1);
        let send = async {
            for part in sent.chunks(size) {
                ours.write_all(part).await.unwrap();
            }
            drop(ours);
        };
        let read = async {
            let (speaks, mut io) = tell(theirs).await.unwrap();
            let mut all = Vec::new();
            io.read_to_end(&mut all).await.unwrap();
            assert_eq!((speaks, all.as_slice()), (expect, sent));
        };
        tokio::join!(send, read);
    }

    #[tokio::test]
    async fn only_the_whole_preface_is_http2() {
        let after = [PREFACE.as_slice(), b"\0\0\0\x04"].concat();
        for size in 1..30 {
            check(&after, size, Speaks::Http2).await;
            check(b"GET / HTTP/1.1\r\n\r\n", size, Speaks::Http1).await;
            check(b"PRIVATE / HTTP/1.1\r\n\r\n", size, Speaks::Http1).await;
            check(&PREFACE[..23], size, Speaks::Http1).await;
        }
        check(b"", 1, Speaks::Http1).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_peer_is_not_waited_for() {
        let (mut ours, theirs) = tokio::io::duplex(1);
        let trickle = async {
            for byte in PREFACE {
                tokio::time::sleep(HEAD_TIMEOUT / 10).await;
                if ours.write_all(&[*byte]).await.is_err() {
                    return;
                }
            }
            panic!("it was waited for");
        };
        let told = async { tell(theirs).await.map(|(speaks, _)| speaks) };
        let (told, ()) = tokio::join!(told, trickle);
        assert_eq!(told.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
