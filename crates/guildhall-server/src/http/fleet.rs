//! What gateways and SDKs report of their breakers and limits, and what is known of them.
//!
//! It is no part of any document, and has an index of its own: that of the answer's body, never `Guildhall-Index`, which
//! clients compare with those of their writes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use guildhall_api::wire::{BreakerList, Code, LimitList, sse};
use guildhall_control::fleet::{BreakerFilter, Breakers, Fleet};
use guildhall_core::{
    access::Caller,
    document::Index,
    policy::report::{BreakerRow, Key, Report, ReportedBy, State, parse_state},
    source::EventKind,
};
use http::{HeaderValue, header};

use super::problem::{Refusal, refuse};
use super::{
    Api, accept,
    answer::{self, Answer},
    body::AnswerBody,
    call::Call,
    params, problem, reading, watch,
};

/// `POST /api/v1/reports`
pub(crate) async fn report(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let bytes = call.read_body(api).await?;
    let report: Report = accept::typed(&call.headers, &bytes)?;
    let received = api
        .control()?
        .fleet()
        .report(&call.caller, report)
        .map_err(problem::of)?;
    answer::json(&received)
}

/// `GET …/breakers`
pub(crate) async fn breakers(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    reading::settle(api, &control, &call).await?;
    let (filter, fleet) = (filter(&call)?, control.fleet());
    if call.query.flag(params::WATCH)?.unwrap_or(false) {
        let resumed = watch::resume(&call, params::INDEX)?.is_some();
        return stream(api, call.caller, filter, fleet, resumed);
    }
    let (since, wait) = reading::patience(api, &call)?;
    let Breakers { items, index } = fleet
        .changed(&call.caller, &filter, since, wait)
        .await
        .map_err(problem::of)?;
    answer::json(&BreakerList { items, index })
}

/// `GET …/limits`
pub(crate) async fn limits(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    reading::settle(api, &control, &call).await?;
    let limits = control.fleet().limits(&call.caller, &filter(&call)?);
    answer::json(&LimitList {
        items: limits.map_err(problem::of)?,
    })
}

fn filter(call: &Call) -> Result<BreakerFilter, Refusal> {
    let text = |parameter| call.query.get(parameter).map(str::to_owned);
    let state = |name: &str| {
        parse_state(name).ok_or_else(|| {
            let names = State::ALL.map(State::name).join(", ");
            refuse(
                Code::BadRequest,
                format!("query parameter state: {name:?} is none; known are: {names}"),
            )
        })
    };
    Ok(BreakerFilter {
        namespace: call.target.scope.one().cloned(),
        caller: text(params::CALLER),
        service: text(params::SERVICE),
        state: call.query.get(params::STATE).map(state).transpose()?,
    })
}

/// What a reader of the stream was told, and how to find out what is new to it.
struct Told {
    fleet: Fleet,
    caller: Caller,
    filter: BreakerFilter,
    keepalive: Duration,
    rows: BTreeMap<(ReportedBy, Key), Arc<BreakerRow>>,
    index: Option<Index>,
    /// Whether the reader has rows from before, which are not known here.
    resumed: bool,
}

/// All rows, then every change. Rows are not numbered one by one: a stream that is taken up again begins with a `resync`.
fn stream(
    api: &Api,
    caller: Caller,
    filter: BreakerFilter,
    fleet: Fleet,
    resumed: bool,
) -> Result<Answer, Refusal> {
    // Refused before the stream begins.
    fleet.breakers(&caller, &filter).map_err(problem::of)?;
    let told = Told {
        fleet,
        caller,
        filter,
        keepalive: api.options.keepalive,
        rows: BTreeMap::new(),
        index: None,
        resumed,
    };
    let pieces = stream::unfold(told, async |mut told: Told| {
        let piece = told.next().await?;
        Some((Ok(piece), told))
    });
    let mut answer = http::Response::new(AnswerBody::stream(Box::pin(pieces)));
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(sse::EVENT_STREAM),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

impl Told {
    /// The next piece of the stream; `None` once the control plane stops, or the caller may not read any more.
    async fn next(&mut self) -> Option<Bytes> {
        let changed = self
            .fleet
            .changed(&self.caller, &self.filter, self.index, self.keepalive);
        let Breakers { items, index } = changed.await.ok()?;
        if self.index.replace(index) == Some(index) {
            return Some(Bytes::from_static(sse::COMMENT));
        }
        let mut piece = Vec::new();
        if std::mem::take(&mut self.resumed) {
            sse::encode(
                EventKind::Resync.word(),
                None,
                br#"{"reason":"resumed"}"#,
                &mut piece,
            );
        }
        let mut before = std::mem::take(&mut self.rows);
        for row in items {
            let key = (row.caller.clone(), row.breaker.key());
            let kind = match before.remove(&key) {
                Some(known) if Arc::ptr_eq(&known, &row) => None,
                Some(_) => Some(EventKind::Modified),
                None => Some(EventKind::Added),
            };
            if let Some(kind) = kind {
                event(kind, &row, &mut piece);
            }
            self.rows.insert(key, row);
        }
        for row in before.values() {
            event(EventKind::Deleted, row, &mut piece);
        }
        let id = index.to_string();
        sse::encode(EventKind::Bookmark.word(), Some(&id), b"{}", &mut piece);
        Some(piece.into())
    }
}

fn event(kind: EventKind, row: &BreakerRow, piece: &mut Vec<u8>) {
    match serde_json::to_vec(row) {
        Ok(data) => sse::encode(kind.word(), None, &data, piece),
        Err(error) => tracing::error!(%error, "a breaker does not serialise"),
    }
}
