//! The past of documents: `…/history`, `…/versions/{number}`, `…/diff`, `…/rollback`, `…/tags/{tag}`.

use guildhall_api::wire::{
    Code, RecordedVersion, RollbackBody, TagBody, TaggedVersion, VersionDiff, VersionList,
    VersionListMetadata,
};
use guildhall_control::{Error, history::Recorded};
use guildhall_core::{
    config::Config,
    document::{Document, DocumentKey, Kind, Object},
    history::{Head, VersionRef, changes},
};

use super::problem::{Refusal, refuse};
use super::{
    Api, accept,
    answer::{self, Answer},
    call::Call,
    documents, params, problem, reading,
};
use crate::text_diff;

/// The size of a page that does not say it.
const PAGE: usize = 20;
/// The most versions of one page.
const MOST: usize = 500;

/// `GET …/{plural}/{name}/history`: the newest first.
pub(crate) async fn list(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let key = call.past_key()?;
    let limit = match call.query.parsed(params::LIMIT)? {
        None => PAGE,
        Some(limit) if (1..=MOST).contains(&limit) => limit,
        Some(_) => {
            let detail = format!("query parameter limit: from 1 to {MOST}");
            return Err(refuse(Code::BadRequest, detail));
        }
    };
    let token = call.query.get(params::CONTINUE);
    let before = token.map(|token| {
        let number = token.parse().ok();
        number.ok_or_else(|| problem::of(Error::BadContinue(token.to_owned())))
    });
    reading::settle(api, &control, &call).await?;
    let found = control
        .history()
        .list(&call.caller, &key, before.transpose()?, limit)
        .await
        .map_err(problem::of)?;
    let oldest = found.versions.last().map(|version| version.version);
    let next = oldest.filter(|_| found.more);
    let tagged = |version| tagged(&found.head, version);
    let items = found.versions.iter().cloned().map(tagged).collect();
    answer::json(&VersionList {
        items,
        metadata: VersionListMetadata {
            head: found.head,
            next: next.map(|next| next.to_string()),
        },
    })
}

fn tagged(head: &Head, version: guildhall_core::history::Version) -> TaggedVersion {
    TaggedVersion {
        tags: head.tags_of(version.version),
        version,
    }
}

fn shown(recorded: &Recorded) -> TaggedVersion {
    TaggedVersion {
        version: recorded.version.clone(),
        tags: recorded.tags.clone(),
    }
}

/// `GET …/{plural}/{name}/versions/{number}`
pub(crate) async fn read(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let key = call.past_key()?;
    reading::settle(api, &control, &call).await?;
    let version = VersionRef::of(&call.target.part);
    let recorded = control
        .history()
        .read(&call.caller, &key, &version)
        .await
        .map_err(problem::of)?;
    answer::json(&RecordedVersion {
        version: shown(&recorded),
        document: recorded.document,
    })
}

/// `GET …/{plural}/{name}/diff`: to the last version from the one before, unless it is said.
pub(crate) async fn diff(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let control = api.control()?;
    let key = call.past_key()?;
    reading::settle(api, &control, &call).await?;
    let named = |parameter: &str| call.query.get(parameter).map(VersionRef::of);
    let (from, to) = (named(params::FROM), named(params::TO));
    let (before, after) = control
        .history()
        .pair(&call.caller, &key, from.as_ref(), to.as_ref())
        .await
        .map_err(problem::of)?;
    let document = |recorded: &Option<Recorded>| recorded.as_ref()?.document.clone();
    let (old, new) = (document(&before), after.document.as_ref());
    let defect = |error| problem::of(Error::Encoding(error));
    let name = |version: Option<u32>, document: Option<&Document>| match (version, document) {
        (Some(version), Some(_)) => named_version(&key, version),
        _ => text_diff::NOTHING.to_owned(),
    };
    let from = name(before.as_ref().map(|one| one.version.version), old.as_ref());
    let to = name(Some(after.version.version), new);
    let content = match key.kind {
        Kind::Config => {
            let (old, new) = (config(old.as_ref()), config(new));
            let diff = control.configs().diff(old, new, (&from, &to)).await;
            Some(diff.map_err(problem::of)?)
        }
        _ => None,
    };
    answer::json(&VersionDiff {
        content,
        changes: changes(old.as_ref(), new).map_err(defect)?,
        text: text_diff::documents(old.as_ref(), new, &from, &to).map_err(unwritable)?,
        from: before.as_ref().map(shown),
        to: shown(&after),
    })
}

fn config(document: Option<&Document>) -> Option<&Object<Config>> {
    match document {
        Some(Document::Config(config)) => Some(config),
        _ => None,
    }
}

pub(super) fn unwritable(error: yaml_serde::Error) -> Refusal {
    refuse(
        Code::Internal,
        format!("the document cannot be shown as YAML: {error}"),
    )
}

fn named_version(key: &DocumentKey, version: u32) -> String {
    format!("{}/{} (version {version})", key.kind.plural(), key.name)
}

/// `POST …/{plural}/{name}/rollback`
pub(crate) async fn rollback(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let key = call.past_key()?;
    let bytes = call.read_body(api).await?;
    let RollbackBody { version, comment } = accept::typed(&call.headers, &bytes)?;
    let mut options = call.write_options()?;
    options.comment = comment.or(options.comment);
    let dry_run = options.dry_run;
    let history = api.control()?.history();
    let written = history
        .rollback(&call.caller, &key, &version, options)
        .await
        .map_err(problem::of)?;
    documents::written_answer(&written, dry_run, &[])
}

/// `PUT …/{plural}/{name}/tags/{tag}`
pub(crate) async fn tag(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let key = call.past_key()?;
    let bytes = call.read_body(api).await?;
    let TagBody { version } = accept::typed(&call.headers, &bytes)?;
    let history = api.control()?.history();
    let (number, index) = history
        .tag(&call.caller, &key, &call.target.part, &version)
        .await
        .map_err(problem::of)?;
    let mut answer = answer::json(&TagBody {
        version: number.into(),
    })?;
    answer::set_index(&mut answer, index);
    Ok(answer)
}

/// `DELETE …/{plural}/{name}/tags/{tag}`
pub(crate) async fn untag(api: &Api, call: Call) -> Result<Answer, Refusal> {
    let key = call.past_key()?;
    let history = api.control()?.history();
    let index = history
        .untag(&call.caller, &key, &call.target.part)
        .await
        .map_err(problem::of)?;
    let mut answer = answer::empty();
    answer::set_index(&mut answer, index);
    Ok(answer)
}
