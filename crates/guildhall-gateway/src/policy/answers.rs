//! Good answers that are kept, so that one can be given again when the service cannot.
//!
//! What one client was told must not be told to another: an answer is kept only if a shared cache might keep it as far
//! as can be told without asking the service (RFC 9111, section 3): a GET without credentials, answered with 200,
//! without a cookie and without a word against it.

use std::{
    sync::{Arc, PoisonError},
    time::Instant,
};

use bytes::{Bytes, BytesMut};
use guildhall_core::policy::guard::Kept;
use http::{
    HeaderMap, HeaderName, Method, Response, StatusCode,
    header::{AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, COOKIE, HOST, SET_COOKIE, VARY},
    response,
};

use crate::snapshot::InGateway;

/// The longest body that is kept.
const LONGEST: usize = 1 << 20;

/// What tells requests apart whose answers are kept: host and target, and what of the request answers often vary by.
pub(crate) type AnswerKey = Box<str>;

/// An answer that is kept.
#[derive(Clone, Debug)]
pub(crate) struct GoodAnswer {
    headers: Arc<HeaderMap>,
    body: Bytes,
}

/// An answer on its way through that is to be kept.
pub(crate) struct Keeping {
    kept: Kept<InGateway>,
    key: AnswerKey,
    headers: Arc<HeaderMap>,
    body: BytesMut,
    most: usize,
}

/// Headers by which answers may vary and still be kept: they are in the key.
const KEYED: [HeaderName; 3] = [
    http::header::ACCEPT,
    http::header::ACCEPT_ENCODING,
    http::header::ACCEPT_LANGUAGE,
];

/// The key of a request whose answer may be kept.
pub(super) fn key(method: &Method, headers: &HeaderMap, uri: &http::Uri) -> Option<AnswerKey> {
    let private = headers.contains_key(AUTHORIZATION) || headers.contains_key(COOKIE);
    if *method != Method::GET || private {
        return None;
    }
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut key = String::with_capacity(target.len() + 64);
    for name in [&HOST].into_iter().chain(&KEYED) {
        if let Some(value) = headers.get(name) {
            key.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
        key.push('\n');
    }
    key.push_str(target);
    Some(key.into())
}

impl Keeping {
    /// `None` if the answer is not to be kept.
    pub(super) fn new(
        kept: &Kept<InGateway>,
        key: AnswerKey,
        head: &response::Parts,
        most: usize,
    ) -> Option<Self> {
        let most = most.min(LONGEST);
        let headers = &head.headers;
        let words = |name: HeaderName| {
            let values = headers.get_all(name).into_iter();
            values
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .map(|word| word.trim().to_ascii_lowercase())
        };
        let forbidden = words(CACHE_CONTROL)
            .any(|word| word.starts_with("no-store") || word.starts_with("private"));
        let varies = words(VARY).any(|word| !KEYED.iter().any(|name| word == name.as_str()));
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok());
        let long = announced
            .and_then(|length| length.parse::<usize>().ok())
            .is_some_and(|length| length > most);
        if head.status != StatusCode::OK
            || headers.contains_key(SET_COOKIE)
            || forbidden
            || varies
            || long
        {
            return None;
        }
        Some(Self {
            kept: Arc::clone(kept),
            key,
            headers: Arc::new(headers.clone()),
            body: BytesMut::new(),
            most,
        })
    }

    /// A piece of the body; whether it still fits.
    pub(super) fn add(&mut self, data: &[u8]) -> bool {
        if self.body.len() + data.len() > self.most {
            return false;
        }
        self.body.extend_from_slice(data);
        true
    }

    /// The answer has come to its end.
    pub(super) fn store(self, now: Instant) {
        let heads: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + 64)
            .sum();
        let weight = self.body.len() + self.key.len() + heads;
        let answer = GoodAnswer {
            headers: self.headers,
            body: self.body.freeze(),
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.store(self.key, answer, weight, now);
    }
}

impl GoodAnswer {
    /// The answer once more, `age` later.
    pub(super) fn again(&self, age: std::time::Duration) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        *response.headers_mut() = HeaderMap::clone(&self.headers);
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(AGE, age.as_secs().into());
        response
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn only_what_anybody_may_see_is_kept() {
        let key_of = |name: &'static str, method: Method| {
            let request = Request::builder()
                .method(method)
                .uri("/a?b=c")
                .header(name, "x");
            let (head, ()) = request.body(()).unwrap().into_parts();
            key(&head.method, &head.headers, &head.uri)
        };
        assert!(key_of("authorization", Method::GET).is_none());
        assert!(key_of("cookie", Method::GET).is_none());
        assert!(key_of("x", Method::POST).is_none());
        let (plain, german) = (
            key_of("x", Method::GET),
            key_of("accept-language", Method::GET),
        );
        assert!(plain.is_some() && plain != german);

        let kept: Kept<InGateway> = Arc::new(std::sync::Mutex::new(
            guildhall_resilience::fallback::LastGood::new(10, 1_000).unwrap(),
        ));
        let keeps = |status: u16, name: &'static str, value: &'static str| {
            let response = Response::builder().status(status).header(name, value);
            let (head, ()) = response.body(()).unwrap().into_parts();
            Keeping::new(&kept, "k".into(), &head, 100).is_some()
        };
        assert!(keeps(200, "vary", "Accept-Encoding"));
        assert!(!keeps(200, "vary", "Origin") && !keeps(200, "vary", "*"));
        assert!(!keeps(404, "x", "y") && !keeps(206, "x", "y"));
        assert!(!keeps(200, "set-cookie", "a=b"));
        assert!(!keeps(200, "cache-control", "max-age=3, Private"));
        assert!(keeps(200, "content-length", "100") && !keeps(200, "content-length", "101"));
    }
}
