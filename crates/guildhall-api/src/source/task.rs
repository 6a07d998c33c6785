//! The loop of a source: watch, doubt, hand on, copy to disk.

use std::{pin::Pin, time::Duration};

use guildhall_core::{document::Index, source::Update};
use tokio::{
    sync::{mpsc, watch},
    time::{Sleep, sleep},
};

use super::{
    Cached, DiskCache, Held, Origin, SourceOptions, SourceStatus,
    assemble::Assembler,
    cache::Writer,
    guard::{Documents, Known},
};
use crate::client::{Client, ClientError, WatchScope};

/// Watches until nobody listens any more.
pub(super) async fn run(
    client: Client,
    scope: WatchScope,
    options: SourceOptions,
    updates: mpsc::Sender<Update>,
    status: watch::Sender<SourceStatus>,
) {
    let mut flow = Flow {
        updates,
        status,
        hold: options.hold,
        writer: None,
        copy: None,
        known: Known::default(),
        documents: Documents::default(),
        held: None,
    };
    if let Some(path) = &options.cache {
        let cache = DiskCache::new(path, &scope);
        flow.restore(cache.clone()).await;
        flow.writer = Some(Writer::start(cache, options.write_interval));
    }
    let mut stream = client.watch(scope, None);
    let mut assembler = Assembler::new();
    let mut patience = std::pin::pin!(sleep(options.patience));
    let mut release = std::pin::pin!(sleep(options.hold));
    loop {
        let alive = tokio::select! {
            item = stream.next() => match item {
                Ok(item) => {
                    flow.connected(stream.server(), stream.skipped());
                    match assembler.take(item) {
                        Some(update) => flow.take(update, release.as_mut()).await,
                        None => true,
                    }
                }
                Err(error) => {
                    flow.disconnected(&error);
                    flow.fall_back().await
                }
            },
            () = &mut patience, if flow.copy.is_some() => flow.fall_back().await,
            () = &mut release, if flow.held.is_some() => flow.release().await,
            () = flow.updates.closed() => false,
        };
        if !alive {
            break;
        }
    }
    if let Some(writer) = flow.writer.take() {
        writer.finish().await;
    }
}

/// What is known, what is held back, and to whom it goes. Its actions answer whether anybody
/// listens still.
struct Flow {
    updates: mpsc::Sender<Update>,
    status: watch::Sender<SourceStatus>,
    hold: Duration,
    writer: Option<Writer>,
    /// The copy from disk, until something was handed on.
    copy: Option<Cached>,
    /// What was last handed on, or is in the copy.
    known: Known,
    /// The documents as they were told; ahead of what was handed on while something is held.
    documents: Documents,
    /// Where the state stands that is held back.
    held: Option<Index>,
}

impl Flow {
    /// Reads the copy from disk, to be handed on if the control plane does not answer.
    async fn restore(&mut self, cache: DiskCache) {
        match tokio::task::spawn_blocking(move || cache.load()).await {
            Ok(Ok(Some(cached))) => {
                let instances = Documents::of(&cached.documents).instances();
                self.known = Known {
                    index: Some(cached.index),
                    instances,
                };
                let skipped = cached.skipped;
                self.status.send_modify(|status| status.skipped = skipped);
                self.copy = Some(cached);
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the copy on disk is of no use");
                self.status
                    .send_modify(|status| status.last_error = Some(error.to_string()));
            }
            Ok(Ok(None)) | Err(_) => {}
        }
    }

    fn connected(&self, server: Option<&str>, skipped: u64) {
        self.status.send_if_modified(|status| {
            let changed = status.server.as_deref() != server || status.skipped != skipped;
            if changed {
                status.server = server.map(str::to_owned);
                status.skipped = skipped;
                status.last_error = None;
            }
            changed
        });
    }

    fn disconnected(&self, error: &ClientError) {
        let before = self.status.borrow().clone();
        if before.server.is_none() && before.last_error.is_some() {
            tracing::debug!(%error, "the control plane is still away");
        } else {
            tracing::warn!(%error, "no watch on the control plane; going on with what is known");
        }
        self.status.send_modify(|status| {
            status.server = None;
            status.last_error = Some(error.to_string());
        });
    }

    /// Hands the copy from disk on, if nothing else was before.
    async fn fall_back(&mut self) -> bool {
        let Some(copy) = self.copy.take() else {
            return true;
        };
        tracing::warn!(
            documents = copy.documents.len(),
            index = %copy.index,
            "starting from the copy on disk: the control plane has not answered yet, health is unknown"
        );
        let instances = self.known.instances;
        self.send(
            Update::Full {
                index: None,
                documents: copy.documents,
            },
            Origin::Disk,
            instances,
        )
        .await
    }

    /// Takes what the control plane told: hands it on, or holds it back.
    async fn take(&mut self, update: Update, release: Pin<&mut Sleep>) -> bool {
        let index = match &update {
            Update::Full { index, documents } => {
                self.documents = Documents::of(documents);
                index.unwrap_or_default()
            }
            Update::Delta { index, changes } => {
                changes
                    .iter()
                    .for_each(|change| self.documents.apply(change));
                if self.held.is_none() {
                    return self.hand_on(*index, update).await;
                }
                *index
            }
        };
        match self.known.doubts(index, self.documents.instances()) {
            Some(doubt) if !self.hold.is_zero() => {
                self.doubt(index, doubt, release);
                // Whoever starts only now has nothing yet: the copy is what is held on to.
                self.fall_back().await
            }
            _ => self.hand_on_all(index).await,
        }
    }

    fn doubt(&mut self, index: Index, doubt: Held, mut release: Pin<&mut Sleep>) {
        if self.held.replace(index).is_none() {
            release.set(sleep(self.hold));
            tracing::error!(
                instances = doubt.instances,
                known = doubt.known,
                hold = ?self.hold,
                "the control plane knows hardly any instance: it may have lost its data; its state is held back and the known one is used on"
            );
        }
        self.status.send_modify(|status| status.held = Some(doubt));
    }

    /// What was held back has stayed as it was: it is true after all.
    async fn release(&mut self) -> bool {
        let Some(index) = self.held else { return true };
        tracing::error!(
            "the control plane still knows hardly any instance: its state is taken over"
        );
        self.hand_on_all(index).await
    }

    async fn hand_on_all(&mut self, index: Index) -> bool {
        let documents = self.documents.iter().cloned().collect();
        self.hand_on(
            index,
            Update::Full {
                index: Some(index),
                documents,
            },
        )
        .await
    }

    async fn hand_on(&mut self, index: Index, update: Update) -> bool {
        (self.copy, self.held) = (None, None);
        self.known = Known {
            index: Some(index),
            instances: self.documents.instances(),
        };
        if let Some(writer) = &self.writer {
            writer.put(index, self.documents.clone());
        }
        self.send(update, Origin::Live, self.known.instances).await
    }

    async fn send(&self, update: Update, origin: Origin, instances: usize) -> bool {
        self.status.send_modify(|status| {
            status.origin = origin;
            status.instances = instances;
            status.index = (origin == Origin::Live)
                .then_some(self.known.index)
                .flatten();
            if self.held.is_none() {
                status.held = None;
            }
        });
        self.updates.send(update).await.is_ok()
    }
}
