//! The way of a release: its contents are checked and kept, then the document that names them is written like any other.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::config::{Config, ConfigName, ContentHash, Format, parse};
use guildhall_core::document::{Document, DocumentKey, KeyPart, Kind, Metadata, Object, Problems};
use guildhall_store::{Blob, Transaction};

use super::check::{Fresh, check};
use super::drafts;
use super::sealing::Sealing;
use crate::control::Shared;
use crate::documents::write::{Condition, Put, put};
use crate::documents::{Precondition, WriteOptions, Written};
use crate::history::{Note, Standing};
use crate::{Error, clock};

/// What is to be released.
pub(crate) enum Asked<'a> {
    /// A whole document, with its contents or without.
    Document(Box<Object<Config>>),
    /// An earlier version of the document; who must approve stays as it is.
    Earlier(Box<Object<Config>>),
    /// A content; the document stays as it is, or begins.
    Content {
        key: &'a DocumentKey,
        content: Bytes,
        /// How it is written, where that is known.
        format: Option<Format>,
        media_type: Option<&'a str>,
        /// Values that are sealed from now on, beside those that are.
        sealed: &'a [String],
    },
    /// The document that is there, changed.
    Change {
        key: &'a DocumentKey,
        change: &'a (dyn Fn(&mut Config) -> Result<(), Error> + Sync),
    },
    /// The document that is there, its values sealed with the current key.
    Reseal { key: &'a DocumentKey },
}

/// One release among those that are made together.
pub(crate) struct Release<'a> {
    pub(crate) asked: Asked<'a>,
    pub(crate) precondition: Precondition,
    pub(crate) note: Note,
}

/// A document on its way: what of it is to be kept.
struct Pending {
    document: Object<Config>,
    /// The file's content, if it is not in the document.
    content: Option<Bytes>,
    /// The revision of the present document if this was made from it.
    based_on: Option<u64>,
    /// The present document.
    present: Option<Arc<Object<Config>>>,
}

/// What a document says of one of its contents: the file's, or a gray release's.
struct Said {
    hash: Option<ContentHash>,
    text: Option<String>,
    base64: Option<String>,
    /// The gray release whose it is.
    gray: Option<String>,
    /// Where in the document, as a JSON Pointer.
    at: String,
}

impl Asked<'_> {
    fn key(&self) -> DocumentKey {
        match self {
            Self::Document(document) | Self::Earlier(document) => document.key(),
            Self::Content { key, .. } | Self::Change { key, .. } | Self::Reseal { key } => {
                DocumentKey::clone(key)
            }
        }
    }
}

/// Authorizes, checks the contents, keeps them and writes the document.
pub(crate) async fn write(
    shared: &Shared,
    caller: &Caller,
    asked: Asked<'_>,
    options: WriteOptions,
) -> Result<Written, Error> {
    let key = asked.key();
    let mut note = options.note()?;
    if matches!(asked, Asked::Reseal { .. }) {
        note.standing = Standing::Same;
    }
    let release = Release {
        asked,
        precondition: options.precondition,
        note,
    };
    let beside = Transaction::new();
    let written = write_all(shared, caller, &[release], &beside, options.dry_run).await?;
    written.into_iter().next().ok_or(Error::NotFound(key))
}

/// The same with several documents, in one transaction with what stands beside: all are written, or none. What is only
/// proposed becomes drafts, once it has passed every check.
pub(crate) async fn write_all(
    shared: &Shared,
    caller: &Caller,
    releases: &[Release<'_>],
    beside: &Transaction,
    dry_run: bool,
) -> Result<Vec<Written>, Error> {
    let proposed = |release: &Release<'_>| release.note.standing == Standing::Proposed;
    let is_proposed = releases.iter().any(proposed);
    for release in releases {
        let key = release.asked.key();
        authorize(
            caller,
            Verb::Write,
            Some(Kind::Config),
            Some(&key.namespace),
            Some(&key.name),
        )?;
    }
    for _ in 0..shared.options.documents.attempts {
        let mut puts = Vec::with_capacity(releases.len());
        let mut proposals = Vec::new();
        let mut contents = Vec::new();
        let mut is_pinned = false;
        for release in releases {
            let key = release.asked.key();
            let mut pending = pending(shared, &key, &release.asked).await?;
            pending.document.validate()?;
            contents.extend(admit(shared, &key, &mut pending, &release.asked).await?);
            if is_proposed {
                let base = pending.present.as_ref();
                let base = base.map_or(0, |present| present.metadata.version);
                proposals.push(drafts::Proposal::new(
                    &pending.document,
                    base,
                    &release.note,
                ));
            }
            // What was taken from the present document holds only while that is the present one.
            let precondition = match (release.precondition, pending.based_on) {
                (Precondition::None, Some(revision)) => {
                    is_pinned = true;
                    Precondition::Revision(revision)
                }
                (asked, _) => asked,
            };
            puts.push(Put {
                document: pending.document.into(),
                condition: Condition::When(precondition),
                note: release.note.clone(),
            });
        }
        let writes = puts.iter().filter_map(|put| match &put.document {
            Document::Config(config) => Some((config.key(), Some(&**config))),
            _ => None,
        });
        let fresh = contents.iter();
        let fresh = fresh.map(|content| (named(content), content.bytes().clone()));
        check(shared, &writes.collect::<Vec<_>>(), &fresh.collect()).await?;
        let mut beside = beside.clone();
        for content in contents {
            match (dry_run, is_proposed) {
                (true, _) => {}
                (false, true) => shared.contents.put(&*shared.store, &content).await?,
                (false, false) => {
                    let bring = shared.contents.bring(&*shared.store, content, &mut beside);
                    bring.await?;
                }
            }
        }
        match put(shared, caller, puts, &beside, dry_run || is_proposed).await {
            Err(Error::Precondition { .. }) if is_pinned => {}
            Ok(written) if is_proposed && !dry_run => {
                return drafts::keep(shared, caller, proposals, written).await;
            }
            written => return written,
        }
    }
    let last = releases.last().map(|release| release.asked.key());
    Err(last.map_or(Error::Stopped, Error::Contention))
}

/// The document to be written.
async fn pending(shared: &Shared, key: &DocumentKey, asked: &Asked<'_>) -> Result<Pending, Error> {
    let present = present(shared, key).await?;
    let mut content = None;
    let mut based_on = present.as_ref().map(|present| present.metadata.revision);
    let document = match asked {
        Asked::Content {
            content: given,
            format,
            sealed,
            ..
        } => {
            content = Some(given.clone());
            let mut document = match &present {
                Some(present) => copy(present),
                None => {
                    let metadata = Metadata::named(key.namespace.clone(), &*key.name);
                    Object::new(metadata, Config::default())
                }
            };
            document.spec.content_hash = None;
            document.spec.format = format.or(document.spec.format);
            for pointer in *sealed {
                if !document.spec.sealed.contains(pointer) {
                    document.spec.sealed.push(pointer.clone());
                }
            }
            document
        }
        Asked::Change { change, .. } => {
            let present = present.as_ref();
            let mut document = copy(present.ok_or_else(|| Error::NotFound(key.clone()))?);
            change(&mut document.spec)?;
            document
        }
        Asked::Reseal { .. } => {
            let present = present.as_ref();
            copy(present.ok_or_else(|| Error::NotFound(key.clone()))?)
        }
        Asked::Earlier(earlier) => {
            let mut document = Object::clone(earlier);
            if let Some(present) = &present {
                document.spec.approval.clone_from(&present.spec.approval);
            }
            document
        }
        Asked::Document(document) => {
            let mut document = Object::clone(document);
            let nothing = Config::default();
            let known = present.as_ref().map_or(&nothing, |present| &present.spec);
            based_on = based_on.filter(|_| take_over(&mut document.spec, known));
            document
        }
    };
    Ok(Pending {
        document,
        content,
        based_on,
        present,
    })
}

/// What is there, to be changed.
fn copy(present: &Object<Config>) -> Object<Config> {
    Object::new(present.metadata.portable(), present.spec.clone())
}

/// Lets contents stay that the document does not speak of; whether there were any.
fn take_over(spec: &mut Config, present: &Config) -> bool {
    let mut took_over = false;
    if spec.content_hash.is_none() && spec.content.is_none() && spec.content_base64.is_none() {
        spec.content_hash = present.content_hash;
        spec.format = spec.format.or(present.format);
        took_over = true;
    }
    for gray in &mut spec.gray {
        let before = present.gray.iter().find(|before| before.name == gray.name);
        gray.started_at = before.and_then(|before| before.started_at);
        if gray.content_hash.is_none() && gray.content.is_none() && gray.content_base64.is_none() {
            gray.content_hash = before.and_then(|before| before.content_hash);
            took_over = true;
        }
    }
    took_over
}

/// The document as the store has it.
pub(super) async fn present(
    shared: &Shared,
    key: &DocumentKey,
) -> Result<Option<Arc<Object<Config>>>, Error> {
    let store_key = key.store_key(KeyPart::Spec);
    let Some(entry) = shared.store.get(store_key.as_bytes()).await? else {
        return Ok(None);
    };
    // The view has nearly always read it already.
    let state = shared.view.load();
    let seen = state.get(key);
    let document = match seen.filter(|seen| seen.metadata().revision == entry.modified) {
        Some(seen) => seen.clone(),
        None => Document::from_stored(Kind::Config, entry.modified, &entry.value)?,
    };
    Ok(match document {
        Document::Config(config) => Some(config),
        _ => None,
    })
}

/// Checks all contents by the file's format, fills in what the platform knows of them, and says which they are.
async fn admit(
    shared: &Shared,
    key: &DocumentKey,
    pending: &mut Pending,
    asked: &Asked<'_>,
) -> Result<Vec<Blob>, Error> {
    let media_type = match asked {
        Asked::Content { media_type, .. } => *media_type,
        _ => None,
    };
    let file = ConfigName::parse(&key.name).map_or("", |name| name.file);
    let mut contents = Vec::new();
    let spec = &mut pending.document.spec;
    let pointers = spec.sealed.clone();
    let anew = matches!(asked, Asked::Reseal { .. });
    let sealing = Sealing::of(shared, key, &pointers, pending.present.as_deref(), anew).await?;
    let said = Said {
        hash: spec.content_hash,
        text: spec.content.take(),
        base64: spec.content_base64.take(),
        gray: None,
        at: "/spec".to_owned(),
    };
    let bytes = match pending.content.take() {
        Some(content) => content,
        None => said.bytes(shared).await?,
    };
    let format = *spec
        .format
        .get_or_insert_with(|| Format::guess(file, media_type, &bytes));
    let content = said.admit(&sealing, format, bytes)?;
    (spec.content_hash, spec.size) = (Some(named(&content)), Some(content.bytes().len() as u64));
    contents.push(content);
    let now = clock::wall();
    for (n, gray) in spec.gray.iter_mut().enumerate() {
        let said = Said {
            hash: gray.content_hash,
            text: gray.content.take(),
            base64: gray.content_base64.take(),
            gray: Some(gray.name.clone()),
            at: format!("/spec/gray/{n}"),
        };
        let bytes = said.bytes(shared).await?;
        let content = said.admit(&sealing, format, bytes)?;
        gray.content_hash = Some(named(&content));
        gray.size = Some(content.bytes().len() as u64);
        contents.push(content);
        gray.started_at.get_or_insert(now);
    }
    Ok(contents)
}

/// How documents name a content.
fn named(content: &Blob) -> ContentHash {
    ContentHash(*content.hash().as_bytes())
}

impl Said {
    /// The content's bytes: as given, or as the platform has them under the hash.
    async fn bytes(&self, shared: &Shared) -> Result<Bytes, Error> {
        let wrong = |field: &str, detail: String| {
            Error::from(Problems::one(format!("{}/{field}", self.at), detail))
        };
        match (&self.text, &self.base64, self.hash) {
            (Some(text), ..) => Ok(Bytes::from(text.clone())),
            (None, Some(base64), _) => {
                let base64: String = base64.split_whitespace().collect();
                STANDARD.decode(base64).map(Bytes::from).map_err(|error| {
                    let detail = format!("not Base64 with padding (RFC 4648, section 4): {error}");
                    wrong("contentBase64", detail)
                })
            }
            (None, None, Some(hash)) => {
                let found = shared.contents.find(&*shared.store, hash).await?;
                found.ok_or_else(|| {
                    let detail = "the platform has no such content; give the content itself";
                    wrong("contentHash", detail.to_owned())
                })
            }
            (None, None, None) => {
                let detail =
                    "what is new needs its content: text here, or anything as contentBase64";
                Err(wrong("content", detail.to_owned()))
            }
        }
    }

    /// Checks the bytes by their format, and seals what is to be sealed.
    fn admit(&self, sealing: &Sealing<'_>, format: Format, bytes: Bytes) -> Result<Blob, Error> {
        let parsed = parse(format, &bytes).map_err(|error| {
            let detail = format!("not {format}: {error}");
            Problems::one(format!("{}/content", self.at), detail)
        })?;
        let bytes = sealing.admit(parsed, bytes, self.gray.as_deref(), &self.at)?;
        Ok(Blob::of(bytes))
    }
}

/// Refuses a deletion that would break what others read.
pub(crate) async fn removable(shared: &Shared, key: &DocumentKey) -> Result<(), Error> {
    check(shared, &[(key.clone(), None)], &Fresh::new()).await
}
