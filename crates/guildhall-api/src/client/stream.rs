//! An event stream that is opened again where it broke off.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{Client, ClientError, call::Call, error::chain};
use crate::{
    backoff::Backoff,
    wire::{header, sse},
};

/// The most bytes of one event: larger than the largest document the store takes, and than the largest content.
const MAX_EVENT: usize = 4 << 20;

/// Frames of an event stream; waits longer and longer before it connects again.
#[derive(Debug)]
pub(super) struct EventStream {
    client: Client,
    connection: Option<Connection>,
    backoff: Backoff,
    pause: Option<Duration>,
}

#[derive(Debug)]
struct Connection {
    server: String,
    body: Incoming,
    decoder: sse::Decoder,
}

impl EventStream {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            connection: None,
            backoff: Backoff::new(Duration::from_millis(200), Duration::from_secs(10)),
            pause: None,
        }
    }

    /// The server that the stream comes from, while there is a stream.
    pub(super) fn server(&self) -> Option<&str> {
        let connection = self.connection.as_ref();
        connection.map(|connection| connection.server.as_str())
    }

    /// Connects by `call`, to be taken up after the event `last`.
    pub(super) async fn connect(
        &mut self,
        call: Call,
        last: Option<&str>,
    ) -> Result<(), ClientError> {
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause).await;
            self.pause = None;
        }
        let mut call = call.header(http::header::ACCEPT, sse::EVENT_STREAM)?;
        if let Some(last) = last {
            call = call.header(header::LAST_EVENT_ID, last)?;
        }
        let opened = self.client.open(call).await;
        let (server, response) = opened.map_err(|error| self.failed(error))?;
        let decoder = sse::Decoder::new(MAX_EVENT);
        self.connection = Some(Connection {
            server,
            body: response.into_body(),
            decoder,
        });
        Ok(())
    }

    /// Notes that the stream is gone and when to try again.
    fn failed(&mut self, error: ClientError) -> ClientError {
        self.connection = None;
        let pause = self.backoff.next(&mut fastrand::Rng::new());
        self.pause = Some(pause.max(error.retry_after().unwrap_or_default()));
        error
    }

    /// Something came that was worth the connection: the next one is made at once.
    pub(super) fn works(&mut self) {
        self.backoff.reset();
    }

    /// The next frame that has been read already.
    pub(super) fn buffered(&mut self) -> Option<sse::Frame> {
        self.connection.as_mut()?.decoder.next_frame()
    }

    /// Reads more of the stream.
    pub(super) async fn read(&mut self) -> Result<(), ClientError> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let idle = self.client.transport.watch_idle;
        let cause = match tokio::time::timeout(idle, connection.body.frame()).await {
            Err(_) => format!("nothing came for {idle:?}, not even a keep-alive"),
            Ok(None) => "the server ended it".to_owned(),
            Ok(Some(Err(error))) => chain(&error),
            Ok(Some(Ok(frame))) => match connection
                .decoder
                .push(frame.data_ref().map_or(&[], |data| data))
            {
                Ok(()) => return Ok(()),
                Err(error) => error.to_string(),
            },
        };
        let server = connection.server.clone();
        Err(self.failed(ClientError::WatchEnded { server, cause }))
    }
}
