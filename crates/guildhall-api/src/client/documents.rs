//! Calls on documents of any kind.

use bytes::Bytes;
use guildhall_core::document::{Document, DocumentKey, Index, Kind, Namespace, Selector};
use http::header;
use serde_json::value::RawValue;

use super::{Client, ClientError, Written, answer, call::Call};
use crate::wire::{
    Code, List,
    header::{COMMENT, encode_comment, etag},
    path,
};

/// What a write asks of the document before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the last writer wins.
    #[default]
    None,
    /// That there is none: `If-None-Match: *`.
    Absent,
    /// That its spec's revision is this one: `If-Match`.
    Revision(u64),
}

/// How a document is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// What must hold before.
    pub precondition: Precondition,
    /// Validates and shows the result without writing.
    pub dry_run: bool,
    /// Why; kept in the document's history.
    pub comment: Option<String>,
    /// Makes a draft of it, for others to approve; of configuration only.
    pub draft: bool,
}

/// Which documents a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// A label selector as Kubernetes writes it; all if absent.
    pub selector: Option<String>,
    /// The size of a page; the server's choice if absent.
    pub limit: Option<usize>,
}

impl ListQuery {
    /// All documents with labels that `selector` matches, checked here already.
    pub fn selecting(selector: &str) -> Result<Self, guildhall_core::document::SelectorError> {
        selector.parse::<Selector>()?;
        Ok(Self {
            selector: Some(selector.to_owned()),
            limit: None,
        })
    }
}

/// A list, whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The documents, by namespace and name.
    pub documents: Vec<Document>,
    /// The index they were all read at.
    pub index: Index,
    /// What is in the list and cannot be read here, because a newer server wrote it: which
    /// document, and why not.
    pub skipped: Vec<String>,
}

/// How often a list is begun anew because its snapshot went away while it was read.
const LIST_ATTEMPTS: usize = 3;

impl Client {
    /// One document.
    pub async fn get(&self, key: &DocumentKey) -> Result<Document, ClientError> {
        self.call(Call::get(path::document(key))).await?.document()
    }

    /// All documents of a kind that `query` selects, in a namespace or, without one, in all that
    /// the token may read. Reads page after page, all at one index.
    pub async fn list(
        &self,
        kind: Kind,
        namespace: Option<&Namespace>,
        query: &ListQuery,
    ) -> Result<Listed, ClientError> {
        let mut attempt = 1;
        loop {
            match self.list_once(kind, namespace, query).await {
                Err(error)
                    if error.code() == Some(Code::ContinueExpired) && attempt < LIST_ATTEMPTS =>
                {
                    attempt += 1
                }
                done => return done,
            }
        }
    }

    async fn list_once(
        &self,
        kind: Kind,
        namespace: Option<&Namespace>,
        query: &ListQuery,
    ) -> Result<Listed, ClientError> {
        let (mut documents, mut skipped) = (Vec::new(), Vec::new());
        let mut next: Option<String> = None;
        loop {
            let mut parameters = path::QueryString::default();
            parameters.add_some("labelSelector", query.selector.as_deref());
            parameters.add_some("limit", query.limit);
            parameters.add_some("continue", next.as_deref());
            let answer = self
                .call(Call::get(path::documents(kind, namespace)).query(parameters))
                .await?;
            let page: List<Box<RawValue>> = answer.json()?;
            documents.append(&mut answer::documents(&page.items, &mut skipped));
            match page.metadata.next {
                None => {
                    return Ok(Listed {
                        documents,
                        index: page.metadata.revision,
                        skipped,
                    });
                }
                // A server that answers the same page for ever must not hold its client.
                again if again == next => {
                    return Err(answer.malformed("a list that does not move on"));
                }
                more => next = more,
            }
        }
    }

    /// Writes a document; what the server owns of it (revision, times, status) is left out.
    pub async fn put(
        &self,
        document: &Document,
        options: PutOptions,
    ) -> Result<Written, ClientError> {
        let unsendable = |error: serde_json::Error| ClientError::Unsendable(error.to_string());
        let body = serde_json::to_vec(&document.portable()).map_err(unsendable)?;
        self.put_json(&document.key(), body.into(), options).await
    }

    /// Writes a document that is JSON already, as a person wrote it: the server says what is wrong
    /// with which field.
    pub async fn put_json(
        &self,
        key: &DocumentKey,
        json: Bytes,
        options: PutOptions,
    ) -> Result<Written, ClientError> {
        let call = Call::put(path::document(key)).json_text(json);
        self.call(prepared(call, &options)?).await?.written()
    }

    /// Writes a document of `kind` under a name that the server makes up.
    pub async fn create_json(
        &self,
        kind: Kind,
        namespace: &Namespace,
        json: Bytes,
    ) -> Result<Written, ClientError> {
        self.call(Call::post(path::documents(kind, Some(namespace))).json_text(json))
            .await?
            .written()
    }

    /// Deletes a document; the index covers the deletion.
    pub async fn delete(
        &self,
        key: &DocumentKey,
        precondition: Precondition,
    ) -> Result<Index, ClientError> {
        let call = conditional(Call::delete(path::document(key)), precondition)?;
        self.call(call).await?.written_index()
    }
}

/// Adds what a write's options say.
pub(super) fn prepared(call: Call, options: &PutOptions) -> Result<Call, ClientError> {
    let mut call = conditional(call, options.precondition)?;
    if let Some(comment) = &options.comment {
        call = call.header(COMMENT, &encode_comment(comment))?;
    }
    if options.dry_run {
        call.query.add("dryRun", true);
    }
    if options.draft {
        call.query.add("draft", true);
    }
    Ok(call)
}

/// Adds the headers of a precondition. A conditional write is not repeatable: its second run
/// would meet what its first has done.
fn conditional(mut call: Call, precondition: Precondition) -> Result<Call, ClientError> {
    call = match precondition {
        Precondition::None => return Ok(call),
        Precondition::Absent => call.header(header::IF_NONE_MATCH, "*")?,
        Precondition::Revision(revision) => call.header(header::IF_MATCH, &etag(revision))?,
    };
    call.repeatable = false;
    Ok(call)
}
