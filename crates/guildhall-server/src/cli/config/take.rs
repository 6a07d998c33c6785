//! Files of an import against those that are there: what differs is written, by the way that leaves the rest as it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use guildhall_api::client::{ClientError, ListQuery, Precondition, PutOptions, Written};
use guildhall_core::{
    config::{
        Config, Format,
        import::{File, Source},
        seal::Sight,
        unified,
    },
    document::{Document, DocumentKey, Kind, Metadata, Object},
};

use super::{
    export::READS,
    outcome::{Outcome, Report, reason},
    progress::Progress,
};
use crate::{
    cli::{Exit, Failure, context::Context, diff, manifest::word},
    text_diff::NOTHING,
};

/// How files are taken over.
pub(super) struct How {
    pub(super) source: Source,
    pub(super) dry_run: bool,
    pub(super) diff: bool,
    pub(super) comment: Option<String>,
}

/// A file that is there.
struct Present {
    document: Arc<Object<Config>>,
    content: Bytes,
}

/// What is to be written of a file.
enum Write {
    /// Nothing: it says what is there.
    Nothing,
    /// The content; what else the document says stays.
    Content,
    /// The whole document.
    Document(Box<Object<Config>>),
}

/// Takes over all files, in order. What becomes of each is in the report.
pub(super) async fn all(
    context: &Context,
    files: &[File],
    how: &How,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut present = present(context, files).await?;
    let mut written = BTreeSet::new();
    let progress = Progress::new("taken over", files.len());
    for file in files {
        let there = present.remove(&file.name);
        let write = wanted(context, file, there.as_ref())?;
        progress.step();
        if let Write::Nothing = write {
            report.add(file, Outcome::Unchanged, None);
            continue;
        }
        if how.diff {
            let changes = changes(file, there.as_ref(), &write)?;
            report.changes.push_str(&changes);
        }
        let outcome = match there {
            Some(_) => Outcome::Changed,
            None => Outcome::Created,
        };
        let schema = file
            .about
            .as_ref()
            .and_then(|about| about.spec.get("schemaRef"));
        let schema = schema.and_then(|name| name.as_str());
        if how.dry_run && schema.is_some_and(|schema| written.contains(schema)) {
            let why = "not checked: its schema is of this import, too".to_owned();
            report.add(file, outcome, Some(why));
            continue;
        }
        match send(context, file, there.as_ref(), write, how).await {
            Ok(done) => {
                written.insert(file.name.as_str());
                let why = (!done.warnings.is_empty()).then(|| done.warnings.join("; "));
                report.add(file, outcome, why);
            }
            Err(error @ ClientError::Refused { .. }) => {
                report.refused(file, reason(&error), &Failure::call("", &error));
            }
            // Nobody answers: the others would fare no better.
            Err(error) => {
                let key = key(context, file);
                return Err(Failure::call(
                    format!("{} was not imported", word(&key)),
                    &error,
                ));
            }
        }
    }
    Ok(())
}

fn key(context: &Context, file: &File) -> DocumentKey {
    DocumentKey::new(Kind::Config, context.namespace.clone(), file.name.as_str())
}

/// Those of the files that are there, by name.
async fn present(context: &Context, files: &[File]) -> Result<BTreeMap<String, Present>, Failure> {
    let names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
    let listed = context
        .client
        .list(
            Kind::Config,
            Some(&context.namespace),
            &ListQuery::default(),
        )
        .await
        .map_err(|error| Failure::call("the files cannot be listed", &error))?;
    let found = listed
        .documents
        .into_iter()
        .filter_map(|document| match document {
            Document::Config(config) if names.contains(&*config.metadata.name) => Some(config),
            _ => None,
        });
    let found: Vec<_> = found.collect();
    let progress = Progress::new("compared", found.len());
    let contents = stream::iter(found).map(|document| async {
        let read = context
            .client
            .content(&document.key(), None, Sight::Masked)
            .await;
        progress.step();
        match read {
            Ok(content) => {
                let name = document.metadata.name.clone();
                Ok(Some((name, Present { document, content })))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => {
                let what = format!("{} cannot be compared", word(&document.key()));
                Err(Failure::call(what, &error))
            }
        }
    });
    let read: Vec<_> = contents.buffered(READS).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

/// What is to be written so that the document says what the file does.
fn wanted(context: &Context, file: &File, there: Option<&Present>) -> Result<Write, Failure> {
    let same_content = there.is_some_and(|there| there.content == file.content);
    let name = file.name.rsplit('/').next().unwrap_or_default();
    let guess = || Format::guess(name, None, &file.content);
    // What a write of the content alone leaves.
    let left = match there {
        Some(there) => without_content(&there.document),
        None => {
            let metadata = Metadata::named(context.namespace.clone(), file.name.as_str());
            let format = Some(file.format.unwrap_or_else(guess));
            Object::new(
                metadata,
                Config {
                    format,
                    ..Config::default()
                },
            )
        }
    };
    let Some(about) = &file.about else {
        return Ok(match same_content {
            true => Write::Nothing,
            false => Write::Content,
        });
    };
    let mut metadata = left.metadata.clone();
    metadata.labels.clone_from(&about.labels);
    metadata.annotations.clone_from(&about.annotations);
    let mut spec = about
        .spec(&file.name)
        .map_err(|error| Failure::new(Exit::Invalid, "it cannot be imported").why(error))?;
    spec.format = Some(spec.format.unwrap_or_else(guess));
    // Gray releases are of the moment: those that run go on.
    spec.gray.clone_from(&left.spec.gray);
    let wanted = Object::new(metadata, spec);
    let same_rest = wanted.spec == left.spec
        && wanted.metadata.labels == left.metadata.labels
        && wanted.metadata.annotations == left.metadata.annotations;
    Ok(match (same_rest, same_content) {
        (true, true) => Write::Nothing,
        (true, false) => Write::Content,
        (false, _) => Write::Document(Box::new(wanted)),
    })
}

/// A document as an index notes it: without its content and what follows from that.
fn without_content(document: &Object<Config>) -> Object<Config> {
    let mut spec = document.spec.clone();
    (spec.content_hash, spec.size) = (None, None);
    Object::new(document.metadata.portable(), spec)
}

/// What writing would change, as a unified diff.
fn changes(file: &File, there: Option<&Present>, write: &Write) -> Result<String, Failure> {
    let mut text = String::new();
    if let Write::Document(wanted) = write {
        let before = there.map(|there| Document::from(without_content(&there.document)));
        let after = Document::from(Object::clone(wanted));
        text.push_str(&diff::documents(before.as_ref(), Some(&after))?);
    }
    let before = there.map(|there| &there.content);
    if before == Some(&file.content) {
        return Ok(text);
    }
    let name = &file.name;
    let before = match before {
        None => Ok(""),
        Some(bytes) => std::str::from_utf8(bytes),
    };
    match (before, std::str::from_utf8(&file.content)) {
        (Ok(before), Ok(after)) => {
            let from = match there {
                None => NOTHING.to_owned(),
                Some(_) => format!("{name} (there)"),
            };
            let to = format!("{name} (import)");
            text.push_str(&diff::coloured(unified(before, after, (&from, &to))));
        }
        _ => text.push_str(&format!("{name}: not text, {} bytes\n", file.content.len())),
    }
    Ok(text)
}

/// Writes a file, unless somebody else wrote it meanwhile.
async fn send(
    context: &Context,
    file: &File,
    there: Option<&Present>,
    write: Write,
    how: &How,
) -> Result<Written, ClientError> {
    let revision = there.map(|there| there.document.metadata.revision);
    let comment = format!("imported from {}: {}", how.source, file.origin);
    let options = PutOptions {
        precondition: revision.map_or(Precondition::Absent, Precondition::Revision),
        dry_run: how.dry_run,
        comment: Some(how.comment.clone().unwrap_or(comment)),
        draft: false,
    };
    let key = key(context, file);
    let client = &context.client;
    match write {
        Write::Document(mut document) => {
            if there.is_none_or(|there| there.content != file.content) {
                match std::str::from_utf8(&file.content) {
                    Ok(text) => document.spec.content = Some(text.to_owned()),
                    Err(_) => document.spec.content_base64 = Some(STANDARD.encode(&file.content)),
                }
            }
            let document = Document::from(*document);
            client.put(&document, options).await
        }
        _ => {
            let media_type = file.format.map(Format::media_type);
            let content = file.content.clone();
            client
                .release_content(&key, content, media_type, &options)
                .await
        }
    }
}
