//! The way of a release: its content is checked and kept, then the document that names it is written like any other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::config::{Config, ConfigName, ContentHash, Format, parse};
use guildhall_core::document::{Document, DocumentKey, KeyPart, Kind, Metadata, Object, Problems};
use guildhall_store::BlobHash;

use crate::Error;
use crate::control::Shared;
use crate::documents::write::{Condition, Put, put};
use crate::documents::{Precondition, WriteOptions, Written};
use crate::history::Note;

/// What is to be released.
#[derive(Clone, Debug)]
pub(crate) enum Asked<'a> {
    /// A whole document, with its content or without.
    Document(Box<Object<Config>>),
    /// A content; the document stays as it is, or begins.
    Content {
        key: &'a DocumentKey,
        content: Bytes,
        media_type: Option<&'a str>,
    },
}

/// Where the bytes come from.
enum Content {
    Given(Bytes),
    Named(ContentHash),
}

impl Asked<'_> {
    fn key(&self) -> DocumentKey {
        match self {
            Self::Document(document) => document.key(),
            Self::Content { key, .. } => DocumentKey::clone(key),
        }
    }
}

/// Authorizes, checks the content, keeps it and writes the document.
pub(crate) async fn write(
    shared: &Shared,
    caller: &Caller,
    asked: Asked<'_>,
    options: WriteOptions,
) -> Result<Written, Error> {
    let key = asked.key();
    authorize(
        caller,
        Verb::Write,
        Some(Kind::Config),
        Some(&key.namespace),
        Some(&key.name),
    )?;
    let comment = options.comment()?;
    for _ in 0..shared.options.documents.attempts {
        let (mut document, content, based_on) = taken_apart(shared, &key, asked.clone()).await?;
        admit(
            shared,
            &key,
            &mut document.spec,
            content,
            &asked,
            options.dry_run,
        )
        .await?;
        // What was taken from the present document holds only while that is the present one.
        let (precondition, is_pinned) = match (options.precondition, based_on) {
            (Precondition::None, Some(revision)) => (Precondition::Revision(revision), true),
            (asked, _) => (asked, false),
        };
        let release = Put {
            document: document.into(),
            condition: Condition::When(precondition),
            note: Note {
                comment: comment.clone(),
                to: None,
            },
        };
        match put(shared, caller, vec![release], Vec::new(), options.dry_run).await {
            Err(Error::Precondition { .. }) if is_pinned => {}
            written => {
                let written = written?.into_iter().next();
                return written.ok_or(Error::NotFound(key));
            }
        }
    }
    Err(Error::Contention(key))
}

/// The document to be written, without its content, and the revision of the present one if it was made from that.
async fn taken_apart(
    shared: &Shared,
    key: &DocumentKey,
    asked: Asked<'_>,
) -> Result<(Object<Config>, Content, Option<u64>), Error> {
    match asked {
        Asked::Content { content, .. } => {
            let present = present(shared, key).await?;
            let revision = present.as_ref().map(|present| present.metadata.revision);
            let mut document = match present {
                Some(present) => {
                    let metadata = present.metadata.portable();
                    Object::new(metadata, present.spec)
                }
                None => {
                    let metadata = Metadata::named(key.namespace.clone(), &*key.name);
                    Object::new(metadata, Config::default())
                }
            };
            document.spec.size = None;
            Ok((document, Content::Given(content), revision))
        }
        Asked::Document(document) => {
            let mut document = *document;
            let spec = &mut document.spec;
            let inline = match (spec.content.take(), spec.content_base64.take()) {
                (Some(text), _) => Some(Bytes::from(text)),
                (None, Some(base64)) => Some(decoded(&base64)?),
                (None, None) => None,
            };
            match (inline, spec.content_hash) {
                (Some(content), _) => Ok((document, Content::Given(content), None)),
                (None, Some(hash)) => Ok((document, Content::Named(hash), None)),
                (None, None) => {
                    let Some(present) = present(shared, key).await? else {
                        let detail =
                            "a new file needs its content: text here, or anything as contentBase64";
                        return Err(Problems::one("/spec/content", detail).into());
                    };
                    let hash = present
                        .spec
                        .content_hash
                        .unwrap_or(ContentHash(*BlobHash::of(&[]).as_bytes()));
                    document.spec.format = document.spec.format.or(present.spec.format);
                    let revision = present.metadata.revision;
                    Ok((document, Content::Named(hash), Some(revision)))
                }
            }
        }
    }
}

fn decoded(base64: &str) -> Result<Bytes, Problems> {
    let text: String = base64.split_whitespace().collect();
    STANDARD.decode(text).map(Bytes::from).map_err(|error| {
        Problems::one(
            "/spec/contentBase64",
            format!("not Base64 with padding (RFC 4648, section 4): {error}"),
        )
    })
}

/// The document as the store has it.
async fn present(shared: &Shared, key: &DocumentKey) -> Result<Option<Object<Config>>, Error> {
    let store_key = key.store_key(KeyPart::Spec);
    let Some(entry) = shared.store.get(store_key.as_bytes()).await? else {
        return Ok(None);
    };
    let document = Document::from_stored(Kind::Config, entry.modified, &entry.value)?;
    Ok(match document {
        Document::Config(config) => Some(Object::clone(&config)),
        _ => None,
    })
}

/// Checks the content by its format and makes it durable; fills in what the platform knows of it.
async fn admit(
    shared: &Shared,
    key: &DocumentKey,
    spec: &mut Config,
    content: Content,
    asked: &Asked<'_>,
    dry_run: bool,
) -> Result<(), Error> {
    let (bytes, known) = match content {
        Content::Given(bytes) => (bytes, None),
        Content::Named(hash) => {
            let found = shared.contents.find(&*shared.store, hash).await?;
            let missing = || {
                let detail = "the platform has no such content; give the content itself";
                Problems::one("/spec/contentHash", detail)
            };
            (found.ok_or_else(missing)?, Some(hash))
        }
    };
    let media_type = match asked {
        Asked::Content { media_type, .. } => *media_type,
        Asked::Document(_) => None,
    };
    let file = ConfigName::parse(&key.name).map_or("", |name| name.file);
    let format = spec
        .format
        .unwrap_or_else(|| Format::guess(file, media_type, &bytes));
    parse(format, &bytes)
        .map_err(|error| Problems::one("/spec/content", format!("not {format}: {error}")))?;
    let size = bytes.len() as u64;
    let hash = match known {
        Some(hash) => hash,
        None if dry_run => ContentHash(*BlobHash::of(&bytes).as_bytes()),
        None => shared.contents.put(&*shared.store, bytes).await?,
    };
    spec.format = Some(format);
    spec.size = Some(size);
    spec.content_hash = Some(hash);
    Ok(())
}
