//! What came back, whole and in memory.

use std::time::Duration;

use bytes::Bytes;
use guildhall_core::document::{Document, Index, read};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::ClientError;
use crate::wire::{self, Code, Problem};

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) server: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What a write did.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The document as it is now.
    pub document: Document,
    /// The index that covers the write; `None` of a dry run.
    pub index: Option<Index>,
    /// Whether the document is new.
    pub created: bool,
    /// The draft that was made of it instead, by its number.
    pub draft: Option<u32>,
    /// What the server ignored, for people.
    pub warnings: Vec<String>,
}

impl Answer {
    /// The answer, unless it is a refusal.
    pub(super) fn accepted(self) -> Result<Self, ClientError> {
        if self.status.is_success() || self.status == StatusCode::NOT_MODIFIED {
            Ok(self)
        } else {
            Err(self.refusal())
        }
    }

    fn refusal(self) -> ClientError {
        let problem = serde_json::from_slice::<Problem>(&self.body).unwrap_or_else(|_| {
            // Somebody else's answer: a proxy's, or that of a server that is not Guildhall.
            let text = String::from_utf8_lossy(&self.body);
            let text: String = text.trim().chars().take(200).collect();
            let mut problem = Problem::new(
                Code::of_status(self.status),
                format!("{}: {text:?}", self.status),
            );
            problem.status = self.status.as_u16();
            problem
        });
        let seconds = self
            .headers
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        let retry_after = seconds.map(Duration::from_secs);
        ClientError::Refused {
            server: self.server,
            problem: Box::new(problem),
            retry_after,
        }
    }

    pub(super) fn malformed(&self, cause: impl std::fmt::Display) -> ClientError {
        ClientError::Malformed {
            server: self.server.clone(),
            cause: cause.to_string(),
        }
    }

    pub(super) fn text(&self) -> Result<&str, ClientError> {
        std::str::from_utf8(&self.body).map_err(|error| self.malformed(error))
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        read(&self.body).map_err(|error| self.malformed(error))
    }

    pub(super) fn document(&self) -> Result<Document, ClientError> {
        wire::read_document(self.text()?).map_err(|error| self.malformed(error))
    }

    pub(super) fn index(&self) -> Option<Index> {
        self.headers
            .get(wire::header::INDEX)?
            .to_str()
            .ok()?
            .parse()
            .ok()
    }

    fn draft(&self) -> Option<u32> {
        let number = self.headers.get(wire::header::DRAFT)?;
        number.to_str().ok()?.parse().ok()
    }

    /// The index that every answer to a write carries.
    pub(super) fn written_index(&self) -> Result<Index, ClientError> {
        self.index()
            .ok_or_else(|| self.malformed("an answer to a write without Guildhall-Index"))
    }

    pub(super) fn written(&self) -> Result<Written, ClientError> {
        let warnings = self.headers.get_all(wire::header::WARNING).iter();
        Ok(Written {
            document: self.document()?,
            index: self.index(),
            created: self.status == StatusCode::CREATED,
            draft: self.draft(),
            warnings: warnings
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect(),
        })
    }
}

/// Reads what a list holds. What this build cannot read of it, because a newer server wrote it, is
/// passed over, logged, and noted in `skipped`.
pub(super) fn documents(
    items: &[Box<serde_json::value::RawValue>],
    skipped: &mut Vec<String>,
) -> Vec<Document> {
    let read = items.iter().map(|item| wire::read_document(item.get()));
    let noted = read.filter_map(|read| {
        let note = |error: wire::DocumentError| {
            tracing::warn!(%error, "a document of a list is passed over");
            skipped.push(error.to_string());
        };
        read.map_err(note).ok()
    });
    noted.collect()
}
