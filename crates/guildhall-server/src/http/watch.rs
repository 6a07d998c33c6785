//! Event streams: what a subscription tells, as server-sent events.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::Stream;
use guildhall_api::wire::{Code, DeletedDocument, Resync, encode_event, header as names, sse};
use guildhall_control::{
    Control,
    watch::{Event, EventKind, Kinds, Scope, Subscription},
};
use guildhall_core::document::{Index, Kind, nearest};
use http::{HeaderValue, header};
use tokio::time::Sleep;

use super::problem::{Refusal, refuse};
use super::{
    Api,
    answer::{self, Answer},
    body::AnswerBody,
    call::Call,
    params, problem, reading,
};

/// Events are gathered up to so many bytes before they are handed to the connection.
const PIECE: usize = 16 * 1024;

/// `GET …/watch`
pub(crate) async fn many(api: &Api, call: &Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    reading::settle(api, &control, call).await?;
    let mut kinds = Vec::new();
    for words in call.query.all(params::KINDS) {
        for word in words.split(',').filter(|word| !word.is_empty()) {
            kinds.push(Kind::parse(word).ok_or_else(|| unknown_kind(word))?);
        }
    }
    let kinds = if kinds.is_empty() {
        Kinds::ALL
    } else {
        Kinds::of(&kinds)
    };
    let mut scope = Scope::kinds(kinds);
    scope.namespace = call.target.scope.one().cloned();
    scope.service = call.query.get(params::SERVICE).map(Into::into);
    scope.selector = call.query.parsed(params::SELECTOR)?.unwrap_or_default();
    open(api, &control, call, scope, resume(call, params::FROM)?).await
}

fn unknown_kind(word: &str) -> Refusal {
    let plurals = || Kind::ALL.iter().map(|kind| kind.plural());
    let hint = match nearest(word, plurals()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known are: {}", plurals().collect::<Vec<_>>().join(", ")),
    };
    refuse(
        Code::BadRequest,
        format!("query parameter kinds: unknown kind {word:?}; {hint}"),
    )
}

/// Where the stream is to be taken up: `Last-Event-ID`, which browsers send by themselves, or the parameter.
pub(crate) fn resume(call: &Call, parameter: &str) -> Result<Option<Index>, Refusal> {
    let last = call
        .headers
        .get(names::LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok());
    match last.filter(|last| !last.is_empty()) {
        None => call.query.index(parameter),
        Some(last) => last
            .parse()
            .map(Some)
            .map_err(|error| refuse(Code::BadRequest, format!("Last-Event-ID: {error}"))),
    }
}

/// Answers with the stream of `scope`.
pub(crate) async fn open(
    api: &Api,
    control: &Control,
    call: &Call,
    scope: Scope,
    from: Option<Index>,
) -> Result<Answer, Refusal> {
    let subscription = control
        .watch(&call.caller, scope, from)
        .await
        .map_err(problem::of)?;
    let keepalive = api.options.keepalive;
    let events = Events {
        subscription,
        keepalive,
        timer: None,
        sent: crate::clock::now(),
    };
    let mut answer = http::Response::new(AnswerBody::stream(Box::pin(events)));
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(sse::EVENT_STREAM),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer::set_index(&mut answer, control.state().index);
    Ok(answer)
}

/// A subscription as pieces of an event stream. An idle one holds no buffer.
struct Events {
    subscription: Subscription,
    keepalive: Duration,
    /// `None` until the stream is quiet for the first time.
    timer: Option<Pin<Box<Sleep>>>,
    /// When something was sent last. The timer is set anew only when it fires: doing it with every piece would have all
    /// streams queue for the runtime's timers.
    sent: Instant,
}

impl Stream for Events {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut piece = Piece::default();
        let mut ended = false;
        while piece.len() < PIECE {
            match self.subscription.poll_next(cx) {
                Poll::Ready(Some(event)) => piece.add(frame(&event)),
                Poll::Ready(None) => {
                    ended = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        if piece.is_empty() && !ended {
            piece.add(self.keep_alive(cx));
        }
        if !piece.is_empty() {
            self.sent = crate::clock::now();
            return Poll::Ready(Some(Ok(piece.into_bytes())));
        }
        if ended {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    }
}

impl Events {
    /// What a stream says that has been quiet for long; nothing until then.
    fn keep_alive(&mut self, cx: &mut Context<'_>) -> Bytes {
        let keepalive = self.keepalive;
        match &self.timer {
            None => self.timer = Some(Box::pin(tokio::time::sleep(keepalive))),
            // It runs, and will wake this task, which is always the same: it need not be told so again.
            Some(timer) if !timer.is_elapsed() => return Bytes::new(),
            Some(_) => {}
        }
        let Some(timer) = &mut self.timer else {
            return Bytes::new();
        };
        let mut said = Bytes::new();
        while timer.as_mut().poll(cx).is_ready() {
            let now = crate::clock::now();
            let due = self.sent + keepalive;
            let next = if due > now { due } else { now + keepalive };
            timer.as_mut().reset(next.into());
            if due <= now {
                said = match self.subscription.bookmark() {
                    Some(bookmark) => frame(&bookmark),
                    None => Bytes::from_static(sse::COMMENT),
                };
            }
        }
        said
    }
}

/// Frames on their way out together. A single one, what nearly all pieces are, is passed on as it is.
#[derive(Default)]
struct Piece {
    first: Bytes,
    all: Vec<u8>,
}

impl Piece {
    fn add(&mut self, frame: Bytes) {
        if self.is_empty() {
            self.first = frame;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&frame);
    }

    fn len(&self) -> usize {
        self.first.len().max(self.all.len())
    }

    fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    fn into_bytes(self) -> Bytes {
        if self.all.is_empty() {
            self.first
        } else {
            self.all.into()
        }
    }
}

/// The event as it stands in the stream.
fn frame(event: &Event) -> Bytes {
    event.rendered(|| encode(event)).unwrap_or_else(|error| {
        tracing::error!(%error, "an event does not serialise");
        Bytes::new()
    })
}

fn encode(event: &Event) -> Result<Bytes, serde_json::Error> {
    let document = event.document();
    let data = match event.kind() {
        EventKind::Added | EventKind::Modified => document.map(serde_json::to_vec),
        EventKind::Deleted => document
            .map(DeletedDocument::from)
            .map(|deleted| serde_json::to_vec(&deleted)),
        EventKind::Bookmark => Some(Ok(b"{}".to_vec())),
        EventKind::Resync => {
            let reason = "history".to_owned();
            Some(serde_json::to_vec(&Resync { reason }))
        }
    };
    let mut frame = Vec::new();
    if let Some(data) = data.transpose()? {
        encode_event(event.kind(), event.index(), &data, &mut frame);
    }
    Ok(frame.into())
}
