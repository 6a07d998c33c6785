//! What the backend is sent: the client's request as the route's filters change it.

use std::borrow::Cow;

use guildhall_core::route::table::RuleFilter;
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri,
    header::{CONNECTION, HOST, UPGRADE},
};

use crate::{body::RequestBody, headers, target};

/// A request as the filters change it.
pub(crate) struct Outgoing<'p> {
    pub(crate) path: Cow<'p, str>,
    pub(crate) prefix: usize,
    /// Where it differs from the `Host` header.
    pub(crate) host: Option<HeaderValue>,
    pub(crate) headers: HeaderMap,
}

impl Outgoing<'_> {
    pub(crate) fn apply(&mut self, filter: &RuleFilter) {
        match filter {
            RuleFilter::RequestHeaders(edit) => headers::edit(&mut self.headers, edit),
            RuleFilter::ResponseHeaders(_) => {}
            RuleFilter::Rewrite(rewrite) => {
                if let Some(modifier) = &rewrite.path {
                    self.path = Cow::Owned(target::modify(&self.path, self.prefix, modifier));
                }
                if let Some(host) = rewrite
                    .hostname
                    .as_deref()
                    .and_then(|host| HeaderValue::from_str(host).ok())
                {
                    self.host = Some(host);
                }
            }
        }
    }
}

/// The request as the backend is sent it.
pub(crate) fn compose(
    method: Method,
    uri: Uri,
    mut headers: HeaderMap,
    host: Option<HeaderValue>,
    upgrade: Option<&HeaderValue>,
    body: RequestBody,
) -> Request<RequestBody> {
    match host {
        Some(host) => drop(headers.insert(HOST, host)),
        None if headers.contains_key(HOST) => {}
        // HTTP/1.0 without a host: the backend is asked in HTTP/1.1, which needs one.
        None => drop(headers.insert(HOST, HeaderValue::from_static("localhost"))),
    }
    if let Some(upgrade) = upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, upgrade.clone());
    }
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}
