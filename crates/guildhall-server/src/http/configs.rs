//! Files of configuration: their contents, and what they come to for those who read them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use guildhall_api::wire::{
    Code, ConfigEvent, ConfigOrigins, PROBLEM_EVENT, encode_config, header as names, sse,
};
use guildhall_control::{
    Control, Error,
    config::{Effective, EffectiveQuery, EffectiveWatch},
};
use guildhall_core::{
    config::{Config, Source, parse},
    document::{Document, DocumentKey, Kind, Object},
    history::VersionRef,
};
use http::{HeaderValue, StatusCode, header};
use tokio::time::timeout;

use super::problem::{Refusal, refuse};
use super::{
    Api,
    answer::{self, Answer},
    body::AnswerBody,
    call::Call,
    documents, params, problem, reading,
};

/// `GET …/configs/{service}/{environment}/{file}/content`: as it was written.
pub(crate) async fn read_content(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let key = call.key(Kind::Config)?;
    reading::settle(api, &control, &call).await?;
    let config = wanted(&control, &call, &key).await?;
    let (format, content) = control
        .configs()
        .content(&config)
        .await
        .map_err(problem::of)?;
    let media_type = HeaderValue::from_static(format.media_type());
    let mut answer = answer::bytes(media_type, content);
    let revision = config.metadata.revision;
    answer::set(&mut answer, header::ETAG, &names::etag(revision));
    let version = format!("{}@{}", key.name, config.metadata.version);
    answer::set(&mut answer, names::CONFIG, &version);
    Ok(answer)
}

/// The document as it is, or the version of it that is asked for.
async fn wanted(
    control: &Control,
    call: &Call,
    key: &DocumentKey,
) -> Result<Arc<Object<Config>>, Refusal> {
    let document = match call.query.get(params::VERSION) {
        None => Some(control.documents().get(&call.caller, key)),
        Some(version) => {
            let version = VersionRef::of(version);
            let history = control.history();
            let recorded = history.read(&call.caller, key, &version).await;
            recorded.map(|recorded| recorded.document).transpose()
        }
    };
    match document.transpose().map_err(problem::of)? {
        Some(Document::Config(config)) => Ok(config),
        _ => Err(refuse(
            Code::NotFound,
            format!("this version of {key} is its deletion: it has no content"),
        )),
    }
}

/// `PUT …/configs/{service}/{environment}/{file}/content`: a release of the body.
pub(crate) async fn release(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let key = call.key(Kind::Config)?;
    let content = call.read_body(api).await?;
    let options = call.write_options()?;
    let dry_run = options.dry_run;
    let media_type = call.headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    let configs = api.control()?.configs();
    let written = configs
        .release(&call.caller, &key, content, media_type, options)
        .await
        .map_err(problem::of)?;
    documents::written_answer(&written, dry_run, &[])
}

/// `GET …/configs/{service}/{environment}/{file}/effective`: now, once it changes, or as a stream.
pub(crate) async fn effective(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let query = EffectiveQuery {
        key: call.key(Kind::Config)?,
    };
    reading::settle(api, &control, &call).await?;
    let known = known(&call)?;
    let configs = control.configs();
    if call.query.flag(params::WATCH)?.unwrap_or(false) {
        let watch = configs.watch(&call.caller, query, known.as_deref());
        return Ok(stream(watch.map_err(problem::of)?, api.options.keepalive));
    }
    let found = match (&known, call.query.period(params::WAIT)?) {
        (None, Some(_)) => {
            let detail = "wait needs If-None-Match: the ETag of the answer you have";
            return Err(refuse(Code::BadRequest, detail));
        }
        (Some(known), Some(wait)) => {
            let wait = wait.get().min(api.options.max_wait);
            configs.changed(&call.caller, &query, known, wait).await
        }
        (known, None) => {
            let found = configs.effective(&call.caller, &query).await;
            found.map(|found| Some(found).filter(|found| known.as_deref() != Some(&*found.tag)))
        }
    };
    let Some(found) = found.map_err(problem::of)? else {
        return Ok(unchanged(&known.unwrap_or_default()));
    };
    match call.query.flag(params::ORIGINS)?.unwrap_or(false) {
        true => origins(&found),
        false => Ok(written(&found)),
    }
}

/// What the caller has already, by `If-None-Match`, or by `Last-Event-ID` where a stream is taken up again.
fn known(call: &Call) -> Result<Option<String>, Refusal> {
    let text = |name| call.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(last) = text(names::LAST_EVENT_ID).filter(|last| !last.is_empty()) {
        return Ok(Some(last.to_owned()));
    }
    let Some(etag) = text(header::IF_NONE_MATCH).map(str::trim) else {
        return Ok(None);
    };
    let tag = etag.strip_prefix("W/").unwrap_or(etag);
    match tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) {
        Some(tag) => Ok(Some(tag.to_owned())),
        None => Err(refuse(
            Code::BadRequest,
            format!("If-None-Match: {etag:?} is not an ETag of this path; take one from an answer"),
        )),
    }
}

fn etag(tag: &str) -> String {
    format!("\"{tag}\"")
}

fn unchanged(tag: &str) -> Answer {
    let mut answer = answer::empty();
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer::set(&mut answer, header::ETAG, &etag(tag));
    answer
}

fn written(found: &Effective) -> Answer {
    let media_type = HeaderValue::from_static(found.format.media_type());
    let mut answer = answer::bytes(media_type, found.content.clone());
    answer::set(&mut answer, header::ETAG, &etag(&found.tag));
    answer::set(&mut answer, names::CONFIG, &versions(&found.inputs));
    answer
}

fn versions(inputs: &[Arc<Source>]) -> String {
    let versions = inputs
        .iter()
        .map(|input| format!("{}@{}", input.config, input.version));
    versions.collect::<Vec<_>>().join(", ")
}

fn origins(found: &Effective) -> Result<Answer, Refusal> {
    let parsed = parse(found.format, &found.content).map_err(|error| {
        tracing::error!(%error, "a configuration that was merged does not read back");
        refuse(
            Code::Internal,
            format!("the configuration does not read back: {error}"),
        )
    })?;
    let mut answer = answer::json(&ConfigOrigins {
        tag: Arc::clone(&found.tag),
        format: found.format,
        inputs: found.inputs.clone(),
        value: parsed.value(),
        origins: found.origins.clone(),
    })?;
    answer::set(&mut answer, header::ETAG, &etag(&found.tag));
    Ok(answer)
}

/// Tells each configuration as it comes, and something at least every `keepalive`.
fn stream(watch: EffectiveWatch, keepalive: Duration) -> Answer {
    let frames = stream::unfold(watch, move |mut watch| async move {
        let frame = match timeout(keepalive, watch.next()).await {
            Err(_) => Bytes::from_static(sse::COMMENT),
            Ok(Some(found)) => frame(found),
            Ok(None) => return None,
        };
        Some((Ok(frame), watch))
    });
    let mut answer = http::Response::new(AnswerBody::stream(Box::pin(frames)));
    let headers = answer.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(sse::EVENT_STREAM),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn frame(found: Result<Arc<Effective>, Error>) -> Bytes {
    let encoded = match found {
        Ok(found) => found.rendered(|found| {
            let event = ConfigEvent {
                tag: Arc::clone(&found.tag),
                format: found.format,
                inputs: found.inputs.clone(),
                content: None,
                content_base64: None,
            };
            encode_config(&event.with_content(&found.content)).map(Bytes::from)
        }),
        Err(error) => {
            let mut frame = Vec::new();
            let json = problem::of(error).to_json();
            // An empty id: whoever takes the stream up again has nothing.
            sse::encode(PROBLEM_EVENT, Some(""), json.as_ref(), &mut frame);
            Ok(frame.into())
        }
    };
    encoded.unwrap_or_else(|error| {
        tracing::error!(%error, "a configuration does not serialise");
        Bytes::new()
    })
}
