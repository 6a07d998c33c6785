//! One call, as handlers get it.

use bytes::Bytes;
use guildhall_api::wire::{Code, header as names};
use guildhall_control::documents::{Precondition, WriteOptions};
use guildhall_core::{
    access::Caller,
    document::{DocumentKey, Kind, Namespace},
    history,
};
use http::{HeaderMap, header};
use hyper::body::Incoming;

use super::problem::{Refusal, refuse};
use super::{Api, ApiOptions, accept, params, query::Query, routes::Target};

/// A request whose caller and resource are known.
pub(crate) struct Call {
    /// What is asked for.
    pub(crate) target: Target,
    /// Who asks.
    pub(crate) caller: Caller,
    /// With which parameters; all of them known.
    pub(crate) query: Query,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// The path and query as they came.
    pub(crate) uri: http::Uri,
    /// Its body, until it is read.
    pub(crate) body: Option<Incoming>,
}

impl Call {
    /// The namespace, where one must be named.
    pub(crate) fn namespace(&self) -> Result<&Namespace, Refusal> {
        self.target.scope.one().ok_or_else(|| {
            refuse(
                Code::BadRequest,
                "this takes one namespace, not all; write its name in the place of namespaces/-",
            )
        })
    }

    /// The document of `kind` that the path names.
    pub(crate) fn key(&self, kind: Kind) -> Result<DocumentKey, Refusal> {
        Ok(DocumentKey::new(
            kind,
            self.namespace()?.clone(),
            self.target.name.as_str(),
        ))
    }

    /// The document whose past the path names.
    pub(crate) fn past_key(&self) -> Result<DocumentKey, Refusal> {
        match self.target.past_of {
            Some(kind) => self.key(kind),
            None => Err(refuse(
                Code::UnknownPath,
                "no history is kept of such documents",
            )),
        }
    }

    /// Why something is written, by `Guildhall-Comment`.
    pub(crate) fn comment(&self) -> Result<Option<String>, Refusal> {
        let Some(value) = self.headers.get(names::COMMENT) else {
            return Ok(None);
        };
        let read = names::decode_comment(value.as_bytes());
        let text = read.ok_or("it is not UTF-8".to_owned());
        text.and_then(|text| history::comment(&text))
            .map_err(|why| refuse(Code::BadRequest, format!("Guildhall-Comment: {why}")))
    }

    /// How something is written, by the headers and the query.
    pub(crate) fn write_options(&self) -> Result<WriteOptions, Refusal> {
        Ok(WriteOptions {
            precondition: self.precondition()?,
            dry_run: self.dry_run()?,
            comment: self.comment()?,
            draft: self.query.flag(params::DRAFT)?.unwrap_or(false),
        })
    }

    /// The service and the name under it, of a path that has both.
    pub(crate) fn service_and_name(&self) -> (&str, &str) {
        self.target
            .name
            .split_once('/')
            .unwrap_or((&self.target.name, ""))
    }

    /// Reads the body, within the limit.
    pub(crate) async fn read_body(&mut self, api: &Api) -> Result<Bytes, Refusal> {
        match self.body.take() {
            Some(body) => {
                let ApiOptions {
                    max_body,
                    body_timeout,
                    ..
                } = api.options;
                accept::whole(body, max_body, body_timeout).await
            }
            None => Ok(Bytes::new()),
        }
    }

    /// Whether nothing is to be written.
    pub(crate) fn dry_run(&self) -> Result<bool, Refusal> {
        Ok(self.query.flag(params::DRY_RUN)?.unwrap_or(false))
    }

    /// What must hold for a write, by `If-Match` and `If-None-Match`.
    pub(crate) fn precondition(&self) -> Result<Precondition, Refusal> {
        let one = |name| {
            self.headers
                .get(name)
                .map(|value| value.to_str().unwrap_or("?").trim())
        };
        let bad = |detail: String| Err(refuse(Code::BadRequest, detail));
        match (one(header::IF_MATCH), one(header::IF_NONE_MATCH)) {
            (None, None) => Ok(Precondition::None),
            (Some(_), Some(_)) => bad("give If-Match or If-None-Match, not both".to_owned()),
            (Some("*"), None) => Ok(Precondition::Present),
            (Some(tag), None) => match names::parse_etag(tag) {
                Some(revision) => Ok(Precondition::Revision(revision)),
                None => bad(format!(
                    "If-Match: {tag:?} is not an ETag of this server; take one from an answer, such as \"42\""
                )),
            },
            (None, Some("*")) => Ok(Precondition::Absent),
            (None, Some(tag)) => bad(format!(
                "If-None-Match: {tag:?}: writes take only *, which means that there must be no such document"
            )),
        }
    }
}
