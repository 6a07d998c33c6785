//! Promotion: releases in one environment of what another one has.
//!
//! Only files whose content is another one are released, all of them in one transaction. What else the target's document
//! says stays: gray releases, and tags in its history.

use std::sync::Arc;

use bytes::Bytes;
use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::config::{Config, ConfigName, Format, Outcome, Promotion, SHARED, Source};
use guildhall_core::document::{
    Document, DocumentKey, Index, Kind, Namespace, Object, Problems, ServiceName,
};
use guildhall_core::history::{self, Provenance, VersionRef};
use guildhall_store::Transaction;

use super::sealing::for_another;
use super::write::{self, Asked, Release, write_all};
use super::{Configs, report};
use crate::Error;
use crate::documents::{Precondition, WriteOptions};
use crate::history::{History, Note, Standing};

/// The most files that are released at once. Each takes up to five operations of a transaction, of which there are 128.
const MOST: usize = 24;

/// What is to be promoted where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promote {
    /// The namespace, of both.
    pub namespace: Namespace,
    /// The service; `_` for what all share.
    pub service: Arc<str>,
    /// The environment whose files are promoted.
    pub from: Arc<str>,
    /// Which file; `None` stands for all that the service has in the environment.
    pub file: Option<Arc<str>>,
    /// The environment that gets them.
    pub to: String,
    /// Which version of the file; the live one if absent.
    pub version: Option<VersionRef>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Promoted {
    /// File by file, by name.
    pub files: Vec<Promotion>,
    /// The index that holds them.
    pub index: Index,
}

/// A content on its way to another environment.
pub(super) struct Candidate {
    /// The release.
    pub(super) source: Source,
    /// As it stood.
    pub(super) config: Arc<Object<Config>>,
    /// What is sealed in it is sealed for the target.
    pub(super) content: Bytes,
    pub(super) is_sealed: bool,
    pub(super) format: Format,
    /// The file that gets it.
    pub(super) target: DocumentKey,
}

pub(super) async fn promote(
    configs: &Configs,
    caller: &Caller,
    asked: &Promote,
    options: WriteOptions,
) -> Result<Promoted, Error> {
    let shared = &*configs.shared;
    asked.validate(&options)?;
    let mut note = options.note()?;
    if options.dry_run {
        // What it takes is told, not refused.
        note.standing = Standing::Proposed;
    }
    // What was written before this call is part of what it looks at.
    let state = shared
        .view
        .wait_for(&*shared.store, shared.store.index())
        .await?;
    let sources = match &asked.file {
        Some(file) => vec![asked.key(&asked.from, file)],
        None => asked.all(&state),
    };
    let (mut candidates, mut files) = (Vec::new(), Vec::new());
    for source in sources {
        let candidate = candidate(configs, caller, asked, &source).await?;
        let DocumentKey {
            kind,
            namespace,
            name,
        } = &candidate.target;
        authorize(
            caller,
            Verb::Write,
            Some(*kind),
            Some(namespace),
            Some(name),
        )?;
        files.push(report::report(configs, &state, &candidate).await?);
        candidates.push(candidate);
    }
    if files.is_empty() {
        return Err(Error::NotFound(asked.key(&asked.from, "*")));
    }
    let differ = |file: &Promotion| file.outcome != Outcome::Unchanged;
    let count = files.iter().filter(|file| differ(file)).count();
    if count > MOST {
        let detail = format!(
            "{count} files differ, and at most {MOST} are released in one transaction; promote some of them by name first"
        );
        return Err(Problems::one("/to", detail).into());
    }
    let mut releases = Vec::with_capacity(count);
    // A condition is asked of a file that stays as it is, too.
    let asks = options.precondition != Precondition::None;
    for (candidate, file) in candidates.iter().zip(&files) {
        if asks || differ(file) {
            releases.push(release(candidate, &note, options.precondition)?);
        }
    }
    let beside = Transaction::new();
    let written = write_all(shared, caller, &releases, &beside, options.dry_run).await?;
    let mut index = state.index;
    let released = files.iter_mut().filter(|file| asks || differ(file));
    for (file, written) in released.zip(&written) {
        index = written.index;
        // Somebody may have released the same meanwhile.
        file.outcome = match (written.changed, written.created) {
            (false, _) => Outcome::Unchanged,
            (true, true) => Outcome::Created,
            (true, false) => Outcome::Updated,
        };
        file.draft = written.draft;
        if !options.dry_run && !options.draft {
            let metadata = written.document.metadata();
            (file.version, file.revision) = (metadata.version, metadata.revision);
        }
    }
    Ok(Promoted { files, index })
}

impl Promote {
    fn validate(&self, options: &WriteOptions) -> Result<(), Problems> {
        if self.to != SHARED {
            ServiceName::new(&self.to).map_err(|error| Problems::one("/to", error))?;
        }
        if *self.to == *self.from {
            let detail =
                "the environment that the file is in; to go back to a version there is rollback";
            return Err(Problems::one("/to", detail));
        }
        if self.file.is_some() {
            return Ok(());
        }
        if self.version.is_some() {
            let detail = "each file counts its own versions; name a file, or promote what is live";
            return Err(Problems::one("/version", detail));
        }
        if options.precondition != Precondition::None {
            let detail = "If-Match is about one file; name it, or promote all without it";
            return Err(Problems::one("", detail));
        }
        Ok(())
    }

    fn key(&self, environment: &str, file: &str) -> DocumentKey {
        let name = format!("{}/{environment}/{file}", self.service);
        DocumentKey::new(Kind::Config, self.namespace.clone(), name)
    }

    /// Every file that the service has in the environment.
    fn all(&self, state: &crate::view::State) -> Vec<DocumentKey> {
        let prefix = self.key(&self.from, "");
        let keys = state.documents.range(prefix.clone()..).map(|(key, _)| key);
        let ours = keys.take_while(|key| {
            key.kind == prefix.kind
                && key.namespace == prefix.namespace
                && key.name.starts_with(&*prefix.name)
        });
        ours.cloned().collect()
    }
}

/// What is promoted, with its content.
async fn candidate(
    configs: &Configs,
    caller: &Caller,
    asked: &Promote,
    key: &DocumentKey,
) -> Result<Candidate, Error> {
    let (namespace, name) = (Some(&key.namespace), Some(&*key.name));
    authorize(caller, Verb::Read, Some(key.kind), namespace, name)?;
    let config = match &asked.version {
        None => {
            let present = write::present(&configs.shared, key).await?;
            present.ok_or_else(|| Error::NotFound(key.clone()))?
        }
        Some(version) => {
            let shared = Arc::clone(&configs.shared);
            let recorded = History { shared }.read(caller, key, version).await?;
            match recorded.document {
                Some(Document::Config(config)) => config,
                _ => {
                    let detail =
                        format!("version {version} of {key} is its deletion: it has no content");
                    return Err(Problems::one("/version", detail).into());
                }
            }
        }
    };
    let (format, content) = configs.kept(&config).await?;
    let file = ConfigName::parse(&key.name).map_or("", |name| name.file);
    let target = asked.key(&asked.to, file);
    let resealed = for_another(&configs.shared, (key, &target), format, &content)?;
    Ok(Candidate {
        is_sealed: resealed.is_some(),
        source: Source {
            config: key.name.to_string(),
            version: config.metadata.version.into(),
            gray: None,
        },
        target,
        config,
        content: resealed.unwrap_or(content),
        format,
    })
}

fn release<'a>(
    candidate: &'a Candidate,
    note: &Note,
    precondition: Precondition,
) -> Result<Release<'a>, Error> {
    let from = candidate.source.to_string();
    let comment = match &note.comment {
        Some(why) => format!("promoted from {from}: {why}"),
        None => format!("promoted from {from}"),
    };
    let comment = history::comment(&comment).map_err(|why| Problems::one("/comment", why))?;
    Ok(Release {
        asked: Asked::Content {
            key: &candidate.target,
            content: candidate.content.clone(),
            format: Some(candidate.format),
            media_type: None,
            sealed: &candidate.config.spec.sealed,
        },
        precondition,
        note: Note {
            comment: comment.map(Arc::from),
            provenance: Some(Box::new(Provenance {
                promoted_from: Some(from),
                ..Provenance::default()
            })),
            ..note.clone()
        },
    })
}
