//! Drafts of files of configuration: what waits for the approval of others.

use bytes::Bytes;
use guildhall_core::config::{DraftRow, Sight};
use guildhall_core::document::{DocumentKey, Index, Namespace};

use super::config::seen;
use super::{Client, ClientError, PutOptions, Written, call::Call, documents::prepared};
use crate::wire::{DraftDiff, DraftList, path};

impl Client {
    /// The drafts of all files of a namespace, or of all namespaces, that may be read.
    pub async fn all_drafts(
        &self,
        namespace: Option<&Namespace>,
    ) -> Result<DraftList, ClientError> {
        let call = Call::get(path::all_drafts(namespace));
        self.call(call).await?.json()
    }

    /// The drafts of a file, the oldest first.
    pub async fn drafts(&self, key: &DocumentKey) -> Result<DraftList, ClientError> {
        self.call(Call::get(path::drafts(key))).await?.json()
    }

    /// One draft.
    pub async fn draft(&self, key: &DocumentKey, id: u32) -> Result<DraftRow, ClientError> {
        self.call(Call::get(path::draft(key, id))).await?.json()
    }

    /// The content that a draft is to release.
    pub async fn draft_content(
        &self,
        key: &DocumentKey,
        id: u32,
        sight: Sight,
    ) -> Result<Bytes, ClientError> {
        let call = Call::get(format!("{}/content", path::draft(key, id))).query(seen(sight));
        Ok(self.call(call).await?.body)
    }

    /// What a draft changes.
    pub async fn draft_diff(&self, key: &DocumentKey, id: u32) -> Result<DraftDiff, ClientError> {
        let call = Call::get(format!("{}/diff", path::draft(key, id)));
        self.call(call).await?.json()
    }

    /// Approves a draft of somebody else's.
    pub async fn approve_draft(&self, key: &DocumentKey, id: u32) -> Result<DraftRow, ClientError> {
        let call = Call::post(format!("{}/approve", path::draft(key, id)));
        self.call(call).await?.json()
    }

    /// Releases a draft, which is gone with that.
    pub async fn release_draft(
        &self,
        key: &DocumentKey,
        id: u32,
        options: &PutOptions,
    ) -> Result<Written, ClientError> {
        let call = Call::post(format!("{}/release", path::draft(key, id)));
        self.call(prepared(call, options)?).await?.written()
    }

    /// Takes a draft away.
    pub async fn delete_draft(&self, key: &DocumentKey, id: u32) -> Result<Index, ClientError> {
        let call = Call::delete(path::draft(key, id));
        self.call(call).await?.written_index()
    }
}
