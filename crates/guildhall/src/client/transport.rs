//! Finds an instance and sends a request to it, once.

use std::{error::Error, sync::OnceLock, time::Duration};

use bytes::Bytes;
use guildhall_api::wire::header;
use http::{HeaderValue, Request, Response, Uri, header::USER_AGENT, uri::Scheme};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::{Answer, CallError};
use crate::{
    RequestContext,
    discovery::{Directory, Known, Picked},
};

/// The most bytes of an answer that are read into memory.
const MAX_ANSWER: usize = 32 << 20;
/// How long a call waits for the platform's first answer, if its own timeout is longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The connections to all services.
pub(crate) struct Transport {
    http: OnceLock<Client<HttpConnector, Full<Bytes>>>,
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

    pub(super) async fn send(
        &self,
        directory: &Directory,
        request: Request<Bytes>,
        timeout: Duration,
    ) -> Result<Answer, CallError> {
        let service = directory.service();
        let mut chosen = None;
        let whole = async {
            let picked = pick(directory, timeout.min(PATIENCE)).await?;
            chosen = Some(picked.id.clone());
            let request = self.addressed(request, &picked, service)?;
            self.exchange(request, &picked, service).await
        };
        let done = tokio::time::timeout(timeout, whole).await;
        done.unwrap_or_else(|_| {
            Err(CallError::Timeout {
                service: service.to_owned(),
                instance: chosen,
                after: timeout,
            })
        })
    }

    /// The request with its address and the headers that every call carries.
    fn addressed(
        &self,
        request: Request<Bytes>,
        picked: &Picked,
        service: &str,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let (mut head, body) = request.into_parts();
        let mut uri = head.uri.into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(picked.authority.clone());
        let invalid = |error: http::uri::InvalidUriParts| CallError::Invalid {
            service: service.to_owned(),
            cause: format!("{error}; give a path that begins with a slash"),
        };
        head.uri = Uri::from_parts(uri).map_err(invalid)?;
        RequestContext::current()
            .unwrap_or_else(|| RequestContext::of(&head.headers))
            .inject(&mut head.headers);
        head.headers
            .insert(header::SERVICE_ID, self.own_name.clone());
        head.headers
            .entry(USER_AGENT)
            .or_insert_with(|| self.user_agent.clone());
        Ok(Request::from_parts(head, Full::new(body)))
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        picked: &Picked,
        service: &str,
    ) -> Result<Answer, CallError> {
        let (service_name, instance) = (|| service.to_owned(), || picked.id.clone());
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
            &picked.id,
            Response::from_parts(head, body.to_bytes()),
        ))
    }
}

/// The instance that takes the call.
async fn pick(directory: &Directory, patience: Duration) -> Result<Picked, CallError> {
    let service = directory.service().to_owned();
    let endpoints = match directory.known(patience).await {
        Known::Endpoints(endpoints) => endpoints,
        Known::NotStarted => return Err(CallError::NotStarted { service }),
        Known::Off => return Err(CallError::NoPlatform { service }),
        Known::Waiting => {
            return Err(CallError::Unresolved {
                service,
                waited: patience,
            });
        }
    };
    endpoints.pick(&mut fastrand::Rng::new()).ok_or_else(|| {
        let reason = match (endpoints.registered, endpoints.without_http) {
            (0, _) => "none is registered".to_owned(),
            (count, 0) => format!("none of its {count} registered instances is healthy"),
            (_, count) => format!("{count} healthy instances have no port with protocol http"),
        };
        CallError::NoInstance { service, reason }
    })
}

/// The innermost cause: what the system said.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
