//! Drafts of files of configuration: releases that wait for the approval of others.

use guildhall_api::wire::{Code, DraftDiff, DraftList};
use guildhall_control::Control;
use guildhall_core::{
    config::DraftRow,
    document::{Document, DocumentKey, Kind},
    history::changes,
};
use http::HeaderValue;

use super::problem::{Refusal, refuse};
use super::{
    Api,
    answer::{self, Answer},
    call::Call,
    configs, documents, problem, reading,
};
use crate::text_diff;

/// `GET …/drafts`: of all files.
pub(crate) async fn all(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    reading::settle(api, &control, &call).await?;
    let configs = control.configs();
    let items = configs.all_drafts(&call.caller, call.target.scope.one());
    let items = items.await.map_err(problem::of)?;
    answer::json(&DraftList { items })
}

/// `GET …/configs/{service}/{environment}/{file}/drafts`
pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let key = call.key(Kind::Config)?;
    reading::settle(api, &control, &call).await?;
    let items = control.configs().drafts(&call.caller, &key).await;
    let items = items.map_err(problem::of)?;
    answer::json(&DraftList { items })
}

/// `GET …/configs/{service}/{environment}/{file}/drafts/{draft}`
pub(crate) async fn read(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    answer::json(&wanted(api, &control, &call).await?)
}

/// `GET …/configs/{service}/{environment}/{file}/drafts/{draft}/content`: what it is to release.
pub(crate) async fn content(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let document = wanted(api, &control, &call).await?.draft.document();
    let sight = configs::sight(&call)?;
    let configs = control.configs();
    let content = configs.content(&call.caller, &document, sight).await;
    let content = content.map_err(problem::of)?;
    let media_type = HeaderValue::from_static(content.format.media_type());
    let mut answer = answer::bytes(media_type, content.bytes);
    configs::say_sight(&mut answer, content.sight);
    Ok(answer)
}

/// `GET …/configs/{service}/{environment}/{file}/drafts/{draft}/diff`: from the live document to the draft.
pub(crate) async fn diff(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let draft = wanted(api, &control, &call).await?;
    let key = call.key(Kind::Config)?;
    let live = match control.documents().get(&call.caller, &key) {
        Ok(Document::Config(config)) => Some(config),
        Ok(_) | Err(guildhall_control::Error::NotFound(_)) => None,
        Err(error) => return Err(problem::of(error)),
    };
    let new = draft.draft.document();
    let (plural, name) = (Kind::Config.plural(), &key.name);
    let from = match &live {
        Some(live) => format!("{plural}/{name} (version {})", live.metadata.version),
        None => text_diff::NOTHING.to_owned(),
    };
    let to = format!("{plural}/{name} (draft {})", draft.draft.id);
    let configs = control.configs();
    let content = configs.diff(live.as_deref(), Some(&new), (&from, &to));
    let content = content.await.map_err(problem::of)?;
    let (old, new) = (live.map(Document::Config), Document::from(new));
    let defect = |error| problem::of(guildhall_control::Error::Encoding(error));
    let text = text_diff::documents(old.as_ref(), Some(&new), &from, &to);
    answer::json(&DraftDiff {
        draft,
        changes: changes(old.as_ref(), Some(&new)).map_err(defect)?,
        text: text.map_err(super::history::unwritable)?,
        content,
    })
}

/// `POST …/configs/{service}/{environment}/{file}/drafts/{draft}/approve`
pub(crate) async fn approve(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let (key, id) = named(&call)?;
    let configs = api.control()?.configs();
    let approved = configs.approve_draft(&call.caller, &key, id).await;
    let (row, index) = approved.map_err(problem::of)?;
    let mut answer = answer::json(&row)?;
    answer::set_index(&mut answer, index);
    Ok(answer)
}

/// `POST …/configs/{service}/{environment}/{file}/drafts/{draft}/release`
pub(crate) async fn release(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let ((key, id), options) = (named(&call)?, call.write_options()?);
    let dry_run = options.dry_run;
    let configs = api.control()?.configs();
    let written = configs.release_draft(&call.caller, &key, id, options).await;
    documents::written_answer(&written.map_err(problem::of)?, dry_run, &[])
}

/// `DELETE …/configs/{service}/{environment}/{file}/drafts/{draft}`
pub(crate) async fn delete(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let (key, id) = named(&call)?;
    let configs = api.control()?.configs();
    let index = configs.delete_draft(&call.caller, &key, id).await;
    let mut answer = answer::empty();
    answer::set_index(&mut answer, index.map_err(problem::of)?);
    Ok(answer)
}

/// The draft that the path names.
async fn wanted(api: &Api, control: &Control, call: &Call) -> Result<DraftRow, Refusal> {
    let (key, id) = named(call)?;
    reading::settle(api, control, call).await?;
    let draft = control.configs().draft(&call.caller, &key, id).await;
    draft.map_err(problem::of)
}

fn named(call: &Call) -> Result<(DocumentKey, u32), Refusal> {
    let number = call.target.part.parse().map_err(|_| {
        let detail = format!("{:?} in the path is no draft's number", call.target.part);
        refuse(Code::BadRequest, detail)
    })?;
    Ok((call.key(Kind::Config)?, number))
}
