//! The connections to all services: sends a request to one instance and reads the whole answer.

use std::{error::Error, sync::OnceLock, time::Duration};

use bytes::Bytes;
use guildhall_api::wire::header;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header::USER_AGENT, uri::Scheme};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::{Answer, CallError, exact::Exact};
use crate::{RequestContext, discovery::Endpoint};

/// The most bytes of an answer that are read into memory.
const MAX_ANSWER: usize = 32 << 20;

/// The connections to all services.
pub(crate) struct Transport {
    http: OnceLock<Client<HttpConnector, Full<Bytes>>>,
    #[cfg(feature = "grpc")]
    dial: OnceLock<super::grpc::Dial>,
    /// Who counts what several processes count together.
    pub(crate) exact: Exact,
    own_name: HeaderValue,
    user_agent: HeaderValue,
}

impl Transport {
    pub(crate) fn new(service: &str, version: &str) -> Self {
        let value = |text: String| {
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
        };
        Self {
            http: OnceLock::new(),
            #[cfg(feature = "grpc")]
            dial: OnceLock::new(),
            exact: Exact::default(),
            own_name: value(service.to_owned()),
            user_agent: value(format!("{service}/{version}")),
        }
    }

    fn http(&self) -> &Client<HttpConnector, Full<Bytes>> {
        self.http.get_or_init(|| {
            let mut tcp = HttpConnector::new();
            tcp.set_nodelay(true);
            tcp.set_connect_timeout(Some(Duration::from_secs(2)));
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(Duration::from_secs(60))
                .build(tcp)
        })
    }

    /// What opens connections for gRPC.
    #[cfg(feature = "grpc")]
    pub(super) fn dial(&self) -> &super::grpc::Dial {
        self.dial.get_or_init(super::grpc::Dial::new)
    }

    /// Adds what every call carries: the context of the request that is being answered, or a new one, and who calls.
    pub(super) fn sign(&self, headers: &mut HeaderMap, context: Option<&RequestContext>) {
        match context {
            Some(context) => context.inject(headers),
            None => RequestContext::of(headers).inject(headers),
        }
        headers.insert(header::SERVICE_ID, self.own_name.clone());
        headers
            .entry(USER_AGENT)
            .or_insert_with(|| self.user_agent.clone());
    }

    /// Sends a request to an endpoint of `service`.
    pub(super) async fn exchange(
        &self,
        request: Request<Bytes>,
        endpoint: &Endpoint,
        service: &str,
    ) -> Result<Answer, CallError> {
        let (service_name, instance) = (|| service.to_owned(), || endpoint.id.clone());
        let request = addressed(request, endpoint).map_err(|error| CallError::Invalid {
            service: service_name(),
            cause: format!("{error}; give a path that begins with a slash"),
        })?;
        let response =
            self.http()
                .request(request)
                .await
                .map_err(|error| match error.is_connect() {
                    true => CallError::Connect {
                        service: service_name(),
                        instance: instance(),
                        cause: cause(&error),
                    },
                    false => CallError::Broken {
                        service: service_name(),
                        instance: instance(),
                        cause: cause(&error),
                    },
                })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    return CallError::TooLarge {
                        service: service_name(),
                        instance: instance(),
                        limit: MAX_ANSWER,
                    };
                }
                CallError::Broken {
                    service: service_name(),
                    instance: instance(),
                    cause: cause(&*error),
                }
            })?;
        Ok(Answer::new(
            service,
            &endpoint.id,
            Response::from_parts(head, body.to_bytes()),
        ))
    }
}

/// The request with its address.
fn addressed(
    request: Request<Bytes>,
    endpoint: &Endpoint,
) -> Result<Request<Full<Bytes>>, http::uri::InvalidUriParts> {
    let (mut head, body) = request.into_parts();
    let mut uri = head.uri.into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(endpoint.authority.clone());
    head.uri = Uri::from_parts(uri)?;
    Ok(Request::from_parts(head, Full::new(body)))
}

/// The innermost cause: what the system said.
pub(super) fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
