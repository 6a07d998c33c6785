//! The watchers' end of many streams: one thread reads them all over one epoll. A task a stream would cost about as much
//! as the notice that is measured, and both come off the same cores. Where a server has long polls instead of streams,
//! what is told by their answers is fetched over the same connections.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use memchr::memmem::Finder;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll;

use crate::load;

/// Bytes read from a stream at a time.
const PIECE: usize = 64 * 1024;
/// After this long a watcher has missed the change.
const MISSED: Duration = Duration::from_secs(20);
/// Streams that are quiet this long have told the state they begin with.
const SETTLED: Duration = Duration::from_millis(300);
/// While more than so many have heard and others have not, the reader looks only every [`REST`], as a network card
/// moderates its interrupts: waking it for each notice would cost the server more than the notice.
const BURST: u64 = 64;
const REST: Duration = Duration::from_micros(200);

/// All streams.
pub(crate) struct Audience {
    epoll: OwnedFd,
    streams: Vec<Stream>,
    buffer: Vec<u8>,
    ready: Vec<epoll::Event>,
}

struct Stream {
    socket: TcpStream,
    /// The end of what was read before: a change may come in two pieces.
    tail: Vec<u8>,
    has_heard: bool,
    /// Whether it has asked for what it was told of.
    has_asked: bool,
}

/// A change that is about to be made.
pub(crate) struct News<'a> {
    /// The connection over which its request was sent.
    pub(crate) asked: &'a mut TcpStream,
    /// What a stream holds that tells it.
    pub(crate) needle: &'a [u8],
    /// When the request left.
    pub(crate) sent: Instant,
    /// How many are to hear of it.
    pub(crate) audience: u64,
    /// What a reader asks for once its poll is answered; nothing where streams tell what is new.
    pub(crate) asks: Option<&'a [u8]>,
}

/// What is looked for in what comes.
struct Wanted<'a> {
    needle: &'a Finder<'a>,
    asks: Option<&'a [u8]>,
    heard: &'a mut dyn FnMut(Instant),
}

impl Audience {
    /// Listens to these streams, whose replies have begun.
    pub(crate) fn new(sockets: Vec<TcpStream>) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, socket) in sockets.iter().enumerate() {
            socket.set_nonblocking(true)?;
            let data = epoll::EventData::new_u64(number as u64);
            // One look a notice: level-triggered, the kernel would look at each stream again when asked next.
            let events = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&epoll, socket, data, events)?;
        }
        let streams = sockets.into_iter().map(|socket| Stream {
            socket,
            tail: Vec::new(),
            has_heard: false,
            has_asked: false,
        });
        let mut audience = Self {
            epoll,
            streams: streams.collect(),
            buffer: vec![0; PIECE],
            ready: Vec::with_capacity(1024),
        };
        while audience.look(SETTLED, None)? > 0 {}
        Ok(audience)
    }

    /// Sends the same request over every connection: the next long poll.
    pub(crate) fn say(&mut self, request: &[u8]) -> Result<()> {
        for stream in &mut self.streams {
            stream.say(request)?;
        }
        Ok(())
    }

    /// Reads until all have heard, noting after how long each did, and the request has been answered.
    pub(crate) fn hear(&mut self, news: News<'_>, latency: &mut Histogram<u64>) -> Result<()> {
        for stream in &mut self.streams {
            stream.has_heard = false;
            stream.has_asked = false;
        }
        let needle = Finder::new(news.needle);
        let mut heard = 0;
        while heard < news.audience {
            ensure!(
                news.sent.elapsed() < MISSED,
                "{heard} of {} watchers heard of a change",
                news.audience
            );
            if heard > BURST {
                std::thread::sleep(REST);
            }
            self.look(
                MISSED,
                Some(Wanted {
                    needle: &needle,
                    asks: news.asks,
                    heard: &mut |at: Instant| {
                        load::record(latency, at - news.sent);
                        heard += 1;
                    },
                }),
            )?;
        }
        let mut status = [0; 12];
        news.asked.read_exact(&mut status)?;
        let status = String::from_utf8_lossy(&status);
        ensure!(
            status.starts_with("HTTP/1.1 2"),
            "a change was refused: {status}"
        );
        Ok(())
    }

    /// Waits for bytes and reads them; says how many streams had any.
    fn look(&mut self, patience: Duration, mut wanted: Option<Wanted<'_>>) -> Result<usize> {
        self.ready.clear();
        let patience = Timespec::try_from(patience).context("the patience is too long")?;
        epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.ready),
            Some(&patience),
        )?;
        for event in &self.ready {
            let stream = &mut self.streams[event.data.u64() as usize];
            // To its end: the kernel tells of a stream once.
            while let Some(window) = stream.read(&mut self.buffer)? {
                if let Some(wanted) = &mut wanted {
                    let found = || wanted.needle.find(&self.buffer[..window]).is_some();
                    if !stream.has_heard && found() {
                        stream.has_heard = true;
                        (wanted.heard)(Instant::now());
                    }
                    stream.keep(&self.buffer[..window], wanted.needle.needle().len() - 1);
                    // The beginning of the poll's answer is enough to ask.
                    if let Some(request) = wanted.asks
                        && !stream.has_asked
                    {
                        stream.has_asked = true;
                        stream.say(request)?;
                    }
                }
                if window < PIECE {
                    break;
                }
            }
        }
        Ok(self.ready.len())
    }
}

impl Stream {
    /// Reads what has come behind what was kept of before, and says how much that is together; `None` if nothing came.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>> {
        let known = self.tail.len();
        buffer[..known].copy_from_slice(&self.tail);
        match self.socket.read(&mut buffer[known..]) {
            Ok(0) => bail!("a watcher lost its stream"),
            Ok(read) => Ok(Some(known + read)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).context("a watcher's stream"),
        }
    }

    /// A request is so much smaller than a socket's buffer, and sent so seldom, that it fits.
    fn say(&mut self, request: &[u8]) -> Result<()> {
        let sent = self.socket.write(request).context("a watcher's stream")?;
        ensure!(sent == request.len(), "a watcher's request went in part");
        Ok(())
    }

    fn keep(&mut self, window: &[u8], most: usize) {
        let kept = most.min(window.len());
        self.tail.clear();
        self.tail.extend_from_slice(&window[window.len() - kept..]);
    }
}
