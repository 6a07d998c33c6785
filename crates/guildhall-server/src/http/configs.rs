//! Files of configuration: their contents, and what they come to for those who read them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use guildhall_api::wire::{
    Code, ConfigEvent, ConfigOrigins, ListenerList, ListenerReport, PROBLEM_EVENT, encode_config,
    header as names, sse,
};
use guildhall_control::{
    Control, Error,
    config::{Effective, EffectiveQuery, EffectiveWatch, Reader},
};
use guildhall_core::{
    config::{Config, GrayRelease, ListenerState, Source, parse, seal::Sight},
    document::{Document, DocumentKey, InstanceId, Kind, Object},
    history::VersionRef,
};
use http::{HeaderValue, StatusCode, header};
use tokio::time::timeout;

use super::problem::{Refusal, refuse};
use super::{
    Api, accept,
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
    let content = control
        .configs()
        .content(&call.caller, &config, sight(&call)?)
        .await
        .map_err(problem::of)?;
    let media_type = HeaderValue::from_static(content.format.media_type());
    let mut answer = answer::bytes(media_type, content.bytes);
    say_sight(&mut answer, content.sight);
    let revision = config.metadata.revision;
    answer::set(&mut answer, header::ETAG, &names::etag(revision));
    let version = format!("{}@{}", key.name, config.metadata.version);
    answer::set(&mut answer, names::CONFIG, &version);
    Ok(answer)
}

/// What is asked to be seen of sealed values.
pub(super) fn sight(call: &Call) -> Result<Sight, Refusal> {
    Ok(match call.query.flag(params::REVEAL)? {
        Some(true) => Sight::Revealed,
        _ => Sight::Masked,
    })
}

pub(super) fn say_sight(answer: &mut Answer, sight: Option<Sight>) {
    match sight {
        None => {}
        Some(Sight::Masked) => answer::set(answer, names::SEALED, "masked"),
        Some(Sight::Revealed) => {
            answer::set(answer, names::SEALED, "revealed");
            answer::set(answer, header::CACHE_CONTROL, "no-store");
        }
    }
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

/// `POST …/configs/{service}/{environment}/{file}/reseal`
pub(crate) async fn reseal(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let (key, options) = (call.key(Kind::Config)?, call.write_options()?);
    let dry_run = options.dry_run;
    let configs = api.control()?.configs();
    let written = configs.reseal(&call.caller, &key, options).await;
    documents::written_answer(&written.map_err(problem::of)?, dry_run, &[])
}

/// `GET …/configs/{service}/{environment}/{file}/effective`: now, once it changes, or as a stream.
pub(crate) async fn effective(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let query = EffectiveQuery {
        key: call.key(Kind::Config)?,
        reader: reader(&call)?,
        sight: sight(&call)?,
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

/// Who is to read it, if the query says so.
fn reader(call: &Call) -> Result<Option<Reader>, Refusal> {
    let Some(instance) = call.query.get(params::INSTANCE) else {
        return match [params::ZONE, params::LABEL].map(|name| call.query.get(name)) {
            [None, None] => Ok(None),
            _ => Err(refuse(
                Code::BadRequest,
                "zone and label say more of an instance; say which one it is",
            )),
        };
    };
    let instance = instance_id(instance)?;
    let mut labels = BTreeMap::new();
    for label in call.query.all(params::LABEL) {
        let (key, value) = label.split_once('=').ok_or_else(|| {
            let detail = format!("query parameter label: {label:?}: write KEY=VALUE");
            refuse(Code::BadRequest, detail)
        })?;
        labels.insert(key.to_owned(), value.to_owned());
    }
    Ok(Some(Reader {
        instance,
        zone: call.query.get(params::ZONE).map(Arc::from),
        labels,
    }))
}

fn instance_id(text: &str) -> Result<Arc<str>, Refusal> {
    InstanceId::new(text)
        .map(|_| Arc::from(text))
        .map_err(|error| refuse(Code::BadRequest, format!("the instance {text:?}: {error}")))
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
    say_sight(&mut answer, found.sight);
    answer
}

fn versions(inputs: &[Arc<Source>]) -> String {
    let versions = inputs.iter().map(|input| input.to_string());
    versions.collect::<Vec<_>>().join(", ")
}

/// `GET …/configs/{service}/{environment}/{file}/listeners`
pub(crate) async fn listeners(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let key = call.key(Kind::Config)?;
    reading::settle(api, &control, &call).await?;
    let items = control.configs().listeners(&call.caller, &key);
    let items = items.map_err(problem::of)?;
    answer::json(&ListenerList { items })
}

/// `PUT …/configs/{service}/{environment}/{file}/listeners/{instance}`
pub(crate) async fn listener(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let key = call.key(Kind::Config)?;
    let bytes = call.read_body(api).await?;
    let ListenerReport { tag, state, error } = accept::typed(&call.headers, &bytes)?;
    let outcome = match state {
        ListenerState::Applied => Ok(()),
        ListenerState::Failed => Err(error.as_deref().unwrap_or_default()),
        ListenerState::Pending => {
            let detail = "state: say applied or failed";
            return Err(refuse(Code::BadRequest, detail));
        }
    };
    let instance = instance_id(&call.target.part)?;
    let configs = api.control()?.configs();
    configs
        .report(&call.caller, &key, &instance, &tag, outcome)
        .map_err(problem::of)?;
    Ok(answer::empty())
}

/// `PUT …/configs/{service}/{environment}/{file}/gray/{name}`
pub(crate) async fn start_gray(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let key = call.key(Kind::Config)?;
    let bytes = call.read_body(api).await?;
    let mut release: GrayRelease = accept::typed(&call.headers, &bytes)?;
    let name = call.target.part.clone();
    if !release.name.is_empty() && release.name != name {
        let detail = format!("the path says {name:?}, the body {:?}", release.name);
        return Err(refuse(Code::BadRequest, detail));
    }
    release.name = name;
    let options = call.write_options()?;
    let dry_run = options.dry_run;
    let configs = api.control()?.configs();
    let written = configs.start_gray(&call.caller, &key, &release, options);
    documents::written_answer(&written.await.map_err(problem::of)?, dry_run, &[])
}

/// `DELETE …/configs/{service}/{environment}/{file}/gray/{name}`
pub(crate) async fn abort_gray(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let (key, options) = (call.key(Kind::Config)?, call.write_options()?);
    let dry_run = options.dry_run;
    let configs = api.control()?.configs();
    let written = configs.abort_gray(&call.caller, &key, &call.target.part, options);
    documents::written_answer(&written.await.map_err(problem::of)?, dry_run, &[])
}

/// `POST …/configs/{service}/{environment}/{file}/gray/{name}/promote`
pub(crate) async fn promote_gray(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let (key, options) = (call.key(Kind::Config)?, call.write_options()?);
    let dry_run = options.dry_run;
    let configs = api.control()?.configs();
    let written = configs.promote_gray(&call.caller, &key, &call.target.part, options);
    documents::written_answer(&written.await.map_err(problem::of)?, dry_run, &[])
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
        sealed: found.sight,
        value: parsed.value(),
        origins: found.origins.clone(),
    })?;
    answer::set(&mut answer, header::ETAG, &etag(&found.tag));
    say_sight(&mut answer, found.sight);
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
                sealed: found.sight,
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
