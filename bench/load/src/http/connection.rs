//! One keep-alive connection: sends a request, reads the whole reply, or reads a stream's bytes as they come.

use std::net::SocketAddr;

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::reply::{self, Framing, Reply};

/// Enough for a discovery answer in one read.
const BUFFER: usize = 16 * 1024;
/// No reply here is larger; one that is would be a mistake in the benchmark.
const LARGEST: usize = 64 << 20;

/// A connection to a server. It is made again when the server closes it after a reply.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
    body: Vec<u8>,
    /// Bytes of the last reply, still at the buffer's beginning.
    spent: usize,
    closed: bool,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        Ok(Self {
            address,
            stream: connect(address).await?,
            buffer: Vec::with_capacity(BUFFER),
            body: Vec::new(),
            spent: 0,
            closed: false,
        })
    }

    /// Sends a request's bytes and reads the reply.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Reply<'_>> {
        if self.closed {
            self.stream = connect(self.address).await?;
            self.buffer.clear();
            self.spent = 0;
            self.closed = false;
        }
        self.buffer.drain(..self.spent);
        self.spent = 0;
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(head) = reply::head(&self.buffer)? {
                break head;
            }
            self.fill().await?;
        };
        self.closed = head.closes;
        let status = head.status;
        match head.framing {
            Framing::Length(length) => {
                let end = head.length + length;
                while self.buffer.len() < end {
                    self.fill().await?;
                }
                self.spent = end;
                let body = &self.buffer[head.length..end];
                Ok(Reply { status, body })
            }
            Framing::Chunked => {
                self.body.clear();
                let mut at = head.length;
                loop {
                    let (used, last) = reply::chunks(&self.buffer[at..], &mut self.body)?;
                    at += used;
                    if last {
                        break;
                    }
                    self.fill().await?;
                }
                self.spent = at;
                let body = &self.body;
                Ok(Reply { status, body })
            }
        }
    }

    /// Sends a request whose reply is a stream without end, and checks its status.
    pub(crate) async fn subscribe(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        let head = loop {
            if let Some(head) = reply::head(&self.buffer)? {
                break head;
            }
            self.fill().await?;
        };
        if head.status != 200 {
            bail!("a watch was answered with status {}", head.status);
        }
        self.buffer.drain(..head.length);
        Ok(())
    }

    /// The socket, for who reads the stream otherwise. What was read ahead is gone.
    pub(crate) fn into_socket(self) -> Result<std::net::TcpStream> {
        Ok(self.stream.into_std()?)
    }

    async fn fill(&mut self) -> Result<()> {
        if self.buffer.len() > LARGEST {
            bail!("a reply is larger than {LARGEST} bytes");
        }
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection within a reply");
        }
        Ok(())
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
