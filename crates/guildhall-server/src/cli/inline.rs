//! Files of configuration as people write them in documents: with their content in place.

use base64::{Engine, engine::general_purpose::STANDARD};
use guildhall_api::client::ClientError;
use guildhall_core::{
    config::{Config, seal::Sight},
    document::{Document, Object},
    history::VersionRef,
};

use super::context::Context;

/// `document` with its content instead of the content's hash, and without gray releases, which are of the moment; any
/// other kind as it is. `version`: it is an earlier one.
pub(super) async fn whole(
    context: &Context,
    document: Document,
    version: Option<&VersionRef>,
) -> Result<Document, ClientError> {
    let Document::Config(config) = &document else {
        return Ok(document);
    };
    let content = context
        .client
        .content(&config.key(), version, Sight::Masked)
        .await?;
    let (text, base64) = match std::str::from_utf8(&content) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(STANDARD.encode(&content))),
    };
    let spec = Config {
        content: text,
        content_base64: base64,
        content_hash: None,
        size: None,
        gray: Vec::new(),
        ..config.spec.clone()
    };
    Ok(Object::new(config.metadata.clone(), spec).into())
}

/// `current`, which the platform has, saying as much of its content as `wanted` does: so that they are the same where
/// `wanted` changes nothing. `version`: it is an earlier one.
pub(super) async fn like(
    context: &Context,
    current: Document,
    wanted: &Document,
    version: Option<&VersionRef>,
) -> Result<Document, ClientError> {
    let (Document::Config(config), Document::Config(wanted)) = (&current, wanted) else {
        return Ok(current);
    };
    let Config {
        format,
        content_hash,
        size,
        content,
        content_base64,
        gray: _,
        sealed: _,
        schema_ref: _,
        approval: _,
    } = &wanted.spec;
    let mut said = match (content, content_base64) {
        (None, None) => Object::clone(config),
        _ => match whole(context, current.clone(), version).await? {
            Document::Config(whole) => {
                let mut whole = Object::clone(&whole);
                whole.spec.gray.clone_from(&config.spec.gray);
                whole
            }
            _ => return Ok(current),
        },
    };
    let spec = &mut said.spec;
    spec.format = format.and(spec.format);
    spec.size = size.and(spec.size);
    spec.content_hash = content_hash.and(spec.content_hash);
    for gray in &mut spec.gray {
        (gray.size, gray.started_at) = (None, None);
        let wanted = wanted.spec.gray.iter().find(|one| one.name == gray.name);
        gray.content_hash = wanted.and_then(|wanted| wanted.content_hash);
    }
    Ok(said.into())
}
