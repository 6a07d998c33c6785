//! A watch over the gateway's stream. etcd sends several revisions in one message; here they are told apart again.

use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use guildhall_store::{
    Event, Progress, Unavailable, Watch, WatchBatch, WatchError, WatchItem, WatchSource,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    base64,
    client::{entry, number, prefix_end},
    http::Lines,
};

struct Stream {
    items: mpsc::UnboundedReceiver<Result<WatchItem, WatchError>>,
    reader: tokio::task::JoinHandle<()>,
}

pub(super) async fn start(
    address: SocketAddr,
    prefix: &[u8],
    from: Option<u64>,
) -> Result<Watch, WatchError> {
    let (key, end) = prefix_end(prefix);
    let mut create = json!({ "key": key, "range_end": end, "progress_notify": true });
    if let Some(from) = from {
        create["start_revision"] = from.to_string().into();
    }
    let body = json!({ "create_request": create });
    let mut lines = Lines::post(address, "/v3/watch", &body)
        .await
        .map_err(unreachable)?;
    let created = lines.next().await.map_err(unreachable)?;
    let (sender, items) = mpsc::unbounded_channel();
    if from.is_none() {
        let now = number(&created["result"]["header"]["revision"]);
        let _ = sender.send(Ok(WatchItem::Bookmark(now)));
    }
    let reader = tokio::spawn(async move {
        loop {
            let read = match lines.next().await {
                Ok(message) => items_of(&message["result"]),
                Err(error) => vec![Err(unreachable(error))],
            };
            for item in read {
                let last = item.is_err();
                if sender.send(item).is_err() || last {
                    return;
                }
            }
        }
    });
    Ok(Watch::new(Stream { items, reader }))
}

fn unreachable(error: String) -> WatchError {
    Unavailable::Unreachable(error).into()
}

fn items_of(message: &Value) -> Vec<Result<WatchItem, WatchError>> {
    let compacted = number(&message["compact_revision"]);
    if compacted > 0 {
        return vec![Err(WatchError::Compacted { oldest: compacted })];
    }
    let Some(events) = message["events"].as_array() else {
        return vec![Ok(WatchItem::Bookmark(number(
            &message["header"]["revision"],
        )))];
    };
    let revision = |event: &Value| number(&event["kv"]["mod_revision"]);
    let batches = events.chunk_by(|one, other| revision(one) == revision(other));
    let batch = |events: &[Value]| WatchBatch {
        revision: revision(&events[0]),
        events: events.iter().map(event).collect(),
    };
    batches
        .map(|events| Ok(WatchItem::Changes(batch(events))))
        .collect()
}

fn event(event: &Value) -> Event {
    match event["type"].as_str() {
        Some("DELETE") => {
            let key = base64::decode(event["kv"]["key"].as_str().expect("a key"));
            Event::Delete { key: key.into() }
        }
        _ => Event::Put(Arc::new(entry(&event["kv"]))),
    }
}

impl WatchSource for Stream {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<WatchItem, WatchError>> {
        self.items
            .poll_recv(context)
            .map(|item| item.unwrap_or(Err(Unavailable::Stopped.into())))
    }

    /// The server was told to notify all the time anyway.
    fn progress(&self) -> Progress {
        Progress::new(|| {})
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
