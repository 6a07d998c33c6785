//! Calls on the versions of documents.

use guildhall_core::document::{Document, DocumentKey, Index};
use guildhall_core::history::VersionRef;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Client, ClientError, PutOptions, Written, call::Call, documents::prepared};
use crate::wire::{self, RecordedVersion, RollbackBody, TagBody, VersionDiff, VersionList, path};

impl Client {
    /// A document's versions, the newest first: at most `limit`, from where an earlier page's
    /// `continue` says.
    pub async fn history(
        &self,
        key: &DocumentKey,
        limit: Option<usize>,
        next: Option<&str>,
    ) -> Result<VersionList, ClientError> {
        let mut query = path::QueryString::default();
        query.add_some("limit", limit);
        query.add_some("continue", next);
        let call = Call::get(path::history(key)).query(query);
        self.call(call).await?.json()
    }

    /// One version, with what it said.
    pub async fn version(
        &self,
        key: &DocumentKey,
        version: &VersionRef,
    ) -> Result<RecordedVersion<Document>, ClientError> {
        #[derive(Deserialize)]
        struct Said {
            #[serde(default)]
            document: Option<Box<RawValue>>,
        }
        let answer = self
            .call(Call::get(path::past_version(key, version)))
            .await?;
        let Said { document } = answer.json()?;
        let document = document
            .map(|json| wire::read_document(json.get()))
            .transpose()
            .map_err(|error| answer.malformed(error))?;
        Ok(RecordedVersion {
            version: answer.json()?,
            document,
        })
    }

    /// What leads from one version to another: to the last, from the one before, if none is given.
    pub async fn version_diff(
        &self,
        key: &DocumentKey,
        from: Option<&VersionRef>,
        to: Option<&VersionRef>,
    ) -> Result<VersionDiff, ClientError> {
        let word = |version: &VersionRef| match version {
            VersionRef::Number(number) => number.to_string(),
            VersionRef::Tag(tag) => tag.clone(),
        };
        let mut query = path::QueryString::default();
        query.add_some("from", from.map(word));
        query.add_some("to", to.map(word));
        let call = Call::get(path::version_diff(key)).query(query);
        self.call(call).await?.json()
    }

    /// Puts an earlier version in the place of what is there, or of nothing.
    pub async fn rollback(
        &self,
        key: &DocumentKey,
        to: &VersionRef,
        options: &PutOptions,
    ) -> Result<Written, ClientError> {
        let body = RollbackBody {
            version: to.clone(),
            comment: None,
        };
        let call = Call::post(path::rollback(key)).json(&body)?;
        self.call(prepared(call, options)?).await?.written()
    }

    /// Gives a version a name, which it keeps however many come after it.
    pub async fn tag(
        &self,
        key: &DocumentKey,
        tag: &str,
        version: &VersionRef,
    ) -> Result<TagBody, ClientError> {
        let body = TagBody {
            version: version.clone(),
        };
        let call = Call::put(path::tag(key, tag)).json(&body)?;
        self.call(call).await?.json()
    }

    /// Takes a tag away.
    pub async fn untag(&self, key: &DocumentKey, tag: &str) -> Result<Index, ClientError> {
        self.call(Call::delete(path::tag(key, tag)))
            .await?
            .written_index()
    }
}
