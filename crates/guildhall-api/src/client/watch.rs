//! Watches: an event stream that takes itself up again.

use guildhall_core::document::{Index, Kind, Namespace, ServiceName};

use super::{Client, ClientError, call::Call, stream::EventStream};
use crate::wire::{Resync, WatchEvent, WatchEventError, path};

/// What is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchScope {
    /// The kinds of documents; at least one.
    pub kinds: Vec<Kind>,
    /// The namespace; all that the token may read if absent.
    pub namespace: Option<Namespace>,
    /// Only what belongs to this service: a change to another does not wake this watch.
    pub service: Option<ServiceName>,
}

/// An event, and the index that it completes if it completes one.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchItem {
    /// Everything up to this index has been told.
    pub index: Option<Index>,
    /// What happened.
    pub event: WatchEvent,
}

/// A watch that takes itself up again where it broke off.
///
/// Each error is told, and asking for the next event tries again after a while; who wants to give
/// up simply stops asking. All state comes first as `Added`, then a `Bookmark`, then changes. After
/// a `Resync` that begins anew; what was told before no longer holds.
#[derive(Debug)]
pub struct WatchStream {
    stream: EventStream,
    scope: WatchScope,
    /// Everything up to here was delivered, and the stream can be taken up here.
    position: Option<Index>,
    /// Whether all state is being told, so that it must be told anew if it breaks off.
    loading: bool,
    /// Whether anything was delivered that a new beginning would contradict.
    delivered: bool,
    skipped: u64,
}

impl Client {
    /// Watches documents: from `from` on, or without it all there is and then every change.
    pub fn watch(&self, scope: WatchScope, from: Option<Index>) -> WatchStream {
        WatchStream {
            stream: EventStream::new(self.clone()),
            scope,
            position: from,
            loading: from.is_none(),
            delivered: false,
            skipped: 0,
        }
    }
}

impl WatchStream {
    /// Waits for the next event.
    pub async fn next(&mut self) -> Result<WatchItem, ClientError> {
        loop {
            if self.stream.server().is_none()
                && let Some(item) = self.connect().await?
            {
                return Ok(item);
            }
            if let Some(item) = self.buffered() {
                return Ok(item);
            }
            self.stream.read().await?;
        }
    }

    /// The server that the stream comes from, while there is a stream.
    pub fn server(&self) -> Option<&str> {
        self.stream.server()
    }

    /// How many documents could not be read and were passed over: of a kind or form that this
    /// build does not know.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Connects; answers a `Resync` if what was delivered will be told anew.
    async fn connect(&mut self) -> Result<Option<WatchItem>, ClientError> {
        let kinds: Vec<&str> = self.scope.kinds.iter().map(|kind| kind.plural()).collect();
        let mut query = path::QueryString::default();
        query.add("kinds", kinds.join(","));
        query.add_some("service", self.scope.service.as_ref());
        let call = Call::get(path::watch(self.scope.namespace.as_ref())).query(query);
        let position = self.position.map(|position| position.to_string());
        self.stream.connect(call, position.as_deref()).await?;
        if self.position.is_some() || !self.delivered {
            return Ok(None);
        }
        self.loading = true;
        self.delivered = false;
        let event = WatchEvent::Resync(Resync {
            reason: "reconnected".to_owned(),
        });
        Ok(Some(WatchItem { index: None, event }))
    }

    /// The next event that has been read already.
    fn buffered(&mut self) -> Option<WatchItem> {
        while let Some(frame) = self.stream.buffered() {
            let (index, event) = match WatchEvent::read(&frame) {
                Ok(read) => read,
                Err(error) => {
                    self.skipped += 1;
                    tracing::warn!(%error, "an event of the watch is passed over");
                    // What it completes is complete all the same.
                    match frame.id.as_deref().map(str::parse) {
                        Some(Ok(index)) if !matches!(error, WatchEventError::Id(_)) => {
                            (Some(index), WatchEvent::Bookmark)
                        }
                        _ => continue,
                    }
                }
            };
            return Some(self.deliver(index, event));
        }
        None
    }

    fn deliver(&mut self, index: Option<Index>, event: WatchEvent) -> WatchItem {
        self.stream.works();
        self.delivered = true;
        match event {
            WatchEvent::Resync(_) => {
                self.loading = true;
                self.position = None;
            }
            // In the middle of all state there is no place to take it up again.
            WatchEvent::Bookmark => {
                self.loading = false;
                self.position = index.or(self.position);
            }
            _ if !self.loading => self.position = index.or(self.position),
            _ => {}
        }
        WatchItem { index, event }
    }
}
