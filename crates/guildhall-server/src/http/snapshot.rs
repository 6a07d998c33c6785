//! Snapshots of the control store: saved while it runs, restored while it runs.

use std::{io, path::Path, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use guildhall_api::wire::Code;
use guildhall_control::audit::Outcome;
use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_store::{Snapshot, embedded::OpenError};
use http::{HeaderValue, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt;

use super::problem::{Refusal, refuse};
use super::{
    Api,
    answer::{self, Answer},
    body::AnswerBody,
    call::Call,
    problem,
};
use crate::platform::{Plane, PlaneError};

/// The most bytes of a snapshot that is sent here.
const MOST: u64 = 64 << 30;

/// How long a sender of a snapshot may be silent.
const SILENCE: Duration = Duration::from_secs(60);

fn admin(call: &Call) -> Result<(), Refusal> {
    authorize(&call.caller, Verb::Admin, None, None, None)
        .map_err(|denied| problem::of(denied.into()))
}

/// `GET /api/v1/snapshot`
pub(crate) async fn save(api: &Api, call: &Call) -> Result<Answer, Refusal> {
    admin(call)?;
    let plane = api.plane()?;
    let snapshot = plane
        .save()
        .await
        .map_err(|error| refuse(Code::NotReady, error.to_string()))?;
    let index = snapshot.index();
    let chunks = stream::unfold(Some(snapshot), |snapshot: Option<Snapshot>| async {
        let mut snapshot = snapshot?;
        match snapshot.next().await {
            Ok(chunk) => Some((Ok(chunk?), Some(snapshot))),
            Err(error) => {
                tracing::error!(%error, "a snapshot broke off");
                // Ends the connection without the body's end, so that nobody takes a part for the whole.
                Some((Err(io::Error::other(error)), None))
            }
        }
    });
    let mut answer = http::Response::new(AnswerBody::stream(Box::pin(chunks)));
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    answer::set_index(&mut answer, index);
    Ok(answer)
}

/// `POST /api/v1/snapshot`
pub(crate) async fn restore(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let plane = api.plane()?.clone();
    admin(&call).inspect_err(|_| record(&plane, &call.caller, Outcome::Denied))?;
    let Some(body) = call.body.take() else {
        return Err(refuse(Code::BadRequest, "send a snapshot as the body"));
    };
    tracing::info!(principal = %call.caller.principal, request = %call.caller.request_id, "a snapshot is being restored");
    // The exchange of stores must not stop half-way because a client went away.
    let caller = call.caller;
    let restored = tokio::spawn(async move {
        let path = plane.upload();
        let restored = match receive(body, &path).await {
            Ok(()) => plane.restore(path.clone()).await.map_err(refused),
            Err(problem) => Err(problem),
        };
        let _ = tokio::fs::remove_file(&path).await;
        let outcome = match &restored {
            Ok(restored) => Outcome::Updated {
                revision: restored.index.revision,
            },
            Err(problem) => Outcome::Failed {
                error: problem.detail.clone(),
            },
        };
        record(&plane, &caller, outcome);
        restored
    });
    let restored = restored.await.map_err(|_| {
        refuse(
            Code::Internal,
            "the restore was given up; see the server's log",
        )
    })??;
    tracing::warn!(index = %restored.index, entries = restored.entries, "a snapshot has replaced everything");
    let mut answer = answer::json(&serde_json::json!({"index": restored.index}))?;
    answer::set_index(&mut answer, restored.index);
    Ok(answer)
}

/// Leaves an audit record of a restore that was asked for.
fn record(plane: &Plane, caller: &Caller, outcome: Outcome) {
    if let Some(control) = plane.control() {
        control.record_restore(caller, outcome);
    }
}

/// Writes the body to a file beside the store.
async fn receive(mut body: Incoming, path: &Path) -> Result<(), Refusal> {
    let failed = |error: io::Error| {
        tracing::error!(%error, "a snapshot could not be received");
        refuse(
            Code::Internal,
            format!("the snapshot could not be kept: {error}; check the server's disk"),
        )
    };
    let mut file = tokio::fs::File::create(path).await.map_err(failed)?;
    let mut bytes = 0;
    loop {
        // However large the snapshot is: a sender that has stopped does not keep what it sent so far.
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        let Some(frame) = frame.map_err(|_| {
            refuse(
                Code::BadRequest,
                format!("the snapshot stopped arriving for {SILENCE:?}"),
            )
        })?
        else {
            break;
        };
        let frame = frame.map_err(|error| {
            refuse(Code::BadRequest, format!("the snapshot broke off: {error}"))
        })?;
        let chunk = frame.into_data().unwrap_or_else(|_| Bytes::new());
        bytes += chunk.len() as u64;
        if bytes > MOST {
            return Err(refuse(
                Code::BodyTooLarge,
                format!("a snapshot has at most {MOST} bytes"),
            ));
        }
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)
}

fn refused(error: PlaneError) -> Refusal {
    match &error {
        PlaneError::Open(OpenError::Dump(_)) => {
            refuse(Code::BadRequest, format!("this is no snapshot: {error}"))
        }
        _ => {
            tracing::error!(%error, "a snapshot could not be restored");
            refuse(Code::Internal, error.to_string())
        }
    }
}
