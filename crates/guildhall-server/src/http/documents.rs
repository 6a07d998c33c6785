//! Documents of every kind: list, create, read, write, delete.

use guildhall_api::wire::{Code, List, ListMetadata, MAX_LIMIT, header as names, path};
use guildhall_control::{
    documents::{ListQuery, Written},
    watch::Scope,
};
use guildhall_core::document::{Body, Document, DocumentKey, Kind, Spec};
use guildhall_core::registry::Service;
use http::{StatusCode, header};

use super::problem::{Refusal, invalid, refuse};
use super::{
    Api, accept,
    answer::{self, Answer},
    call::Call,
    params, problem,
    reading::{self, Attended},
    split,
};

/// `GET …/{plural}` and `GET …/services/{service}/versions`
pub(crate) async fn list(
    api: &Api,
    call: Call,
    kind: Kind,
    of_service: bool,
) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let mut query = ListQuery::new(kind, call.target.scope.one().cloned());
    query.service = of_service.then(|| call.target.name.as_str().into());
    query.selector = call.query.parsed(params::SELECTOR)?.unwrap_or_default();
    query.limit = limit(&call)?;
    query.after = call.query.get(params::CONTINUE).map(str::to_owned);
    let scope = query.scope();
    if let Attended::Stream(stream) = reading::attend(api, &control, &call, &scope).await? {
        return Ok(stream);
    }
    let listed = control
        .documents()
        .list(&call.caller, &query)
        .map_err(problem::of)?;
    let metadata = ListMetadata {
        revision: listed.index,
        next: listed.next,
    };
    let mut answer = answer::json(&List {
        items: listed.items,
        metadata,
    })?;
    answer::set_index(&mut answer, listed.touched);
    Ok(answer)
}

fn limit(call: &Call) -> Result<Option<usize>, Refusal> {
    match call.query.parsed::<usize>(params::LIMIT)? {
        Some(limit) if !(1..=MAX_LIMIT).contains(&limit) => Err(refuse(
            Code::BadRequest,
            format!("query parameter limit: from 1 to {MAX_LIMIT}"),
        )),
        limit => Ok(limit),
    }
}

/// `GET …/{plural}/{name}`
pub(crate) async fn read(api: &Api, call: Call, kind: Kind) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let key = call.key(kind)?;
    let index = match reading::attend(api, &control, &call, &Scope::document(&key)).await? {
        Attended::Stream(stream) => return Ok(stream),
        Attended::Index(index) => index,
    };
    let document = control
        .documents()
        .get(&call.caller, &key)
        .map_err(problem::of)?;
    let mut answer = answer::document(&document)?;
    answer::set_index(&mut answer, index);
    // A reader that has this revision already is spared the body; only a spec's change is a new revision, so that
    // whoever asks this way does not want the status.
    let known = call.headers.get(header::IF_NONE_MATCH).is_some();
    if known && call.headers.get(header::IF_NONE_MATCH) == answer.headers().get(header::ETAG) {
        *answer.status_mut() = StatusCode::NOT_MODIFIED;
        *answer.body_mut() = bytes::Bytes::new().into();
    }
    Ok(answer)
}

/// `PUT …/{plural}/{name}`
pub(crate) async fn write(api: &Api, mut call: Call, kind: Kind) -> Result<Answer, Refusal> {
    let key = call.key(kind)?;
    let bytes = call.read_body(api).await?;
    let json = accept::json_text(&call.headers, &bytes)?;
    if kind == Kind::Service
        && let Some(parts) = split::service(&json)?
    {
        return write_with_version(api, call, key, parts).await;
    }
    let body = accept::document(&call.headers, &bytes)?;
    let (document, warnings) = typed(body, kind, Some(&key))?;
    put(api, &call, document, &warnings).await
}

/// `POST …/{plural}`: under the document's own name, or one that the server makes up.
pub(crate) async fn create(api: &Api, mut call: Call, kind: Kind) -> Result<Answer, Refusal> {
    let namespace = call.namespace()?.clone();
    let bytes = call.read_body(api).await?;
    let mut body = accept::document(&call.headers, &bytes)?;
    if body.metadata.name.is_empty() {
        if kind == Kind::ServiceVersion {
            return Err(refuse(
                Code::BadRequest,
                "a version is not made up: PUT …/services/{service}/versions/{version}, or give metadata.name as service/version",
            ));
        }
        body.metadata.name = made_up();
    }
    let warnings = std::mem::take(&mut body.warnings);
    let document = body
        .into_document(kind, Some(&namespace), None)
        .map_err(invalid)?;
    put(api, &call, document, &warnings).await
}

/// Twelve letters and digits: enough that two never meet within one service.
pub(crate) fn made_up() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    std::iter::repeat_with(|| char::from(LETTERS[fastrand::usize(..LETTERS.len())]))
        .take(12)
        .collect()
}

/// The body as a document of `kind` under `key`, with what was ignored in it.
pub(crate) fn typed(
    mut body: Body,
    kind: Kind,
    key: Option<&DocumentKey>,
) -> Result<(Document, Vec<String>), Refusal> {
    let warnings = std::mem::take(&mut body.warnings);
    let (namespace, name) = (key.map(|key| &key.namespace), key.map(|key| &*key.name));
    let document = body.into_document(kind, namespace, name).map_err(invalid)?;
    Ok((document, warnings))
}

/// Writes `document` and answers it.
pub(crate) async fn put(
    api: &Api,
    call: &Call,
    document: Document,
    warnings: &[String],
) -> Result<Answer, Refusal> {
    let options = call.write_options()?;
    let dry_run = options.dry_run;
    let unheard = options.comment.is_some() && !document.kind().keeps_history();
    let plural = document.kind().plural();
    let documents = api.control()?.documents();
    let written = documents
        .write(&call.caller, document, options)
        .await
        .map_err(problem::of)?;
    let mut answer = written_answer(&written, dry_run, warnings)?;
    if unheard {
        let warning = format!("no history is kept of {plural}; the comment is ignored");
        answer::warn(&mut answer, &[warning]);
    }
    Ok(answer)
}

/// The answer to a write.
pub(crate) fn written_answer(
    written: &Written,
    dry_run: bool,
    warnings: &[String],
) -> Result<Answer, Refusal> {
    let mut answer = answer::document(&written.document)?;
    answer::warn(&mut answer, warnings);
    if !dry_run {
        answer::set_index(&mut answer, written.index);
    }
    match written.draft {
        Some(draft) => {
            *answer.status_mut() = StatusCode::ACCEPTED;
            answer::set(&mut answer, names::DRAFT, &draft.to_string());
            let path = path::draft(&written.document.key(), draft);
            answer::set(&mut answer, header::LOCATION, &path);
        }
        None if written.created => *answer.status_mut() = StatusCode::CREATED,
        None => {}
    }
    Ok(answer)
}

/// Writes a service and one of its versions at once.
async fn write_with_version(
    api: &Api,
    call: Call,
    key: DocumentKey,
    parts: split::Parts,
) -> Result<Answer, Refusal> {
    let body = Body::parse(&parts.service).map_err(invalid)?;
    let (service, warnings) = typed(body, Service::KIND, Some(&key))?;
    let version_key = DocumentKey::new(
        Kind::ServiceVersion,
        key.namespace.clone(),
        format!("{}/{}", key.name, parts.version_name),
    );
    let body = Body::parse(&parts.version).map_err(invalid)?;
    let (version, _) = typed(body, Kind::ServiceVersion, Some(&version_key))?;
    let (precondition, dry_run) = (call.precondition()?, call.dry_run()?);
    let registry = api.control()?.registry();
    let written = registry
        .put_service(&call.caller, service, Some(version), precondition, dry_run)
        .await
        .map_err(problem::of)?;
    written_answer(&written.service, dry_run, &warnings)
}

/// `DELETE …/{plural}/{name}`
pub(crate) async fn delete(api: &Api, call: Call, kind: Kind) -> Result<Answer, Refusal> {
    let (key, options) = (call.key(kind)?, call.write_options()?);
    let dry_run = options.dry_run;
    let documents = api.control()?.documents();
    let index = documents
        .remove(&call.caller, &key, options)
        .await
        .map_err(problem::of)?;
    let mut answer = answer::empty();
    if !dry_run {
        answer::set_index(&mut answer, index);
    }
    Ok(answer)
}
