//! What an author sees, and a call's way through its target.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use guildhall_api::wire::header::REASON;
use guildhall_core::{
    policy::{
        compile::TimeLimit,
        guard::{Ended, Trial},
    },
    route::Reason,
};
use guildhall_resilience::deadline::{Deadline, header};
use http::{HeaderName, HeaderValue, Request, Response};
use tokio::time::sleep_until;
use tonic::{Status, body::Body};
use tower::{Service, ServiceExt};

use super::{
    answer::GrpcAnswer,
    call::{CallBody, GrpcCall, TIMEOUT},
    stream::{Holds, Stream, word},
};
use crate::{
    RequestContext,
    client::{
        CallError, DEFAULT_TIMEOUT, Target,
        failure::{Failure, Times},
        key,
        target::{Line, PATIENCE, times},
    },
    clock,
    policy::Sdk,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A channel to one service by its name, for the clients that tonic's code generation makes: `UsersClient::new(channel)`.
/// Clones are cheap and share connections. Needs the feature `grpc`.
///
/// Every call goes to one of the healthy instances that have a port of protocol `grpc` or `h2c`, chosen anew for each
/// call, over connections that calls share. Around it stands what stands around a call by HTTP
/// ([`ServiceClient`](crate::ServiceClient)), with the same machines: one breaker, one bulkhead, one budget.
///
/// | | by gRPC |
/// |---|---|
/// | judged by | `grpc-status`, most often in the trailers: at the end of the stream. A stream that is dropped before counts as nothing |
/// | bulkhead, adaptive limit | a place is held until the stream ends |
/// | deadline | the nearest of the request's own (`Request::set_timeout`), [`with_timeout`](Self::with_timeout), the policy's and that of the request being answered; sent as `grpc-timeout`, and held to until the stream ends |
/// | without any | an answer has to begin within [`DEFAULT_TIMEOUT`](crate::DEFAULT_TIMEOUT), where all of the request was there at once; a stream then goes on as long as it likes |
/// | retries | of what was there at once, up to 4 MiB: unary calls, server streams. What is streamed to the service is sent once. An answer that has begun with anything but its status is final |
/// | what may be carried out twice | only what is [declared](Self::idempotent), or has an `idempotency-key` |
/// | what certainly was not begun | is sent once more, whatever policies say of retries, to another instance if there is one: streams that a GOAWAY leaves out or that are refused. That an instance shuts down speaks against nobody |
/// | a server's few streams | up to four connections to an instance; beyond that calls wait for a stream, within their deadline |
/// | pushback | `grpc-retry-pushback-ms` is kept to |
/// | hedges | where it is declared that the call may be carried out twice |
/// | fallback | only another service stands in; kept and fixed answers are HTTP's. `guildhall-reason: fallback_answered` says so |
///
/// A call carries `x-request-id`, `x-service-id` and the trace context of the request being answered as metadata.
///
/// One that fails before an instance answered ends with a status made of the [`CallError`], which is its source:
///
/// | | status |
/// |---|---|
/// | rate limit, bulkhead, adaptive limit | `RESOURCE_EXHAUSTED` |
/// | breaker, no instance, no connection | `UNAVAILABLE` |
/// | the time was over | `DEADLINE_EXCEEDED` |
///
/// `guildhall-reason` among its metadata says which, and its details are a `google.rpc.Status` with an `ErrorInfo` (reason,
/// policy, revision, rule) and, where it is known when to come back, a `RetryInfo`.
///
/// ```no_run
/// # async fn run(service: guildhall::Service) {
/// use guildhall::CallError;
/// use tonic::codegen::{Service as _, http};
///
/// // A generated client takes it as it takes tonic's own: UsersClient::new(users)
/// let mut users = service.grpc("user-service").idempotent_methods(["/shop.Users/Get"]);
/// # let request = http::Request::new(tonic::body::Body::empty());
/// let status = users.call(request).await.unwrap_err();
/// if let Some(rejected) = CallError::of(&status).and_then(CallError::rejected) {
///     println!("come back in {:?}", rejected.retry_after);
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct GrpcChannel {
    target: Arc<Target>,
    timeout: Option<Duration>,
    idempotent: Idempotent,
}

/// Which methods may be carried out twice.
#[derive(Clone, Default)]
enum Idempotent {
    #[default]
    None,
    All,
    These(Arc<[String]>),
}

impl GrpcChannel {
    pub(crate) fn new(target: Arc<Target>) -> Self {
        Self {
            target,
            timeout: None,
            idempotent: Idempotent::None,
        }
    }

    /// The service that is called.
    pub fn service(&self) -> &str {
        self.target.service()
    }

    /// The same channel, whose calls may take as long as `timeout`, streams included. A request's own timeout, or a
    /// policy's, holds if it is shorter.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same channel for calls that may be carried out twice: they are retried after failures that may have come
    /// after the service had done its work, and hedged where a policy says so.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = Idempotent::All;
        self
    }

    /// The same for these methods only: `/package.Service/Method`.
    pub fn idempotent_methods<M: Into<String>>(
        mut self,
        methods: impl IntoIterator<Item = M>,
    ) -> Self {
        self.idempotent = Idempotent::These(methods.into_iter().map(Into::into).collect());
        self
    }

    fn may_repeat(&self, request: &Request<Body>) -> bool {
        let declared = match &self.idempotent {
            Idempotent::None => false,
            Idempotent::All => true,
            Idempotent::These(methods) => {
                methods.iter().any(|method| method == request.uri().path())
            }
        };
        declared || request.headers().contains_key(IDEMPOTENCY_KEY)
    }
}

impl Service<Request<Body>> for GrpcChannel {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    /// Always ready: whether a call is admitted depends on the call.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let idempotent = self.may_repeat(&request);
        let (target, timeout) = (self.target.clone(), self.timeout);
        // The request that is being answered is known here; the future may be polled elsewhere.
        let context = RequestContext::current();
        async move {
            target
                .send_grpc(request, timeout, idempotent, context)
                .await
        }
        .boxed()
    }
}

impl fmt::Debug for GrpcChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcChannel")
            .field("service", &self.service())
            .finish_non_exhaustive()
    }
}

impl Target {
    async fn send_grpc(
        &self,
        request: Request<Body>,
        timeout: Option<Duration>,
        idempotent: bool,
        context: Option<RequestContext>,
    ) -> Result<Response<Body>, Status> {
        let began = clock::now();
        let (head, body) = request.into_parts();
        // What is wrong with a message is the caller's to know, and nobody else's.
        let body = CallBody::gather(body).await?;
        let call = GrpcCall {
            head: Request::from_parts(head, ()),
            body,
            deadline: Deadline::NEVER,
            whole: Deadline::NEVER,
            patience: PATIENCE,
            idempotent,
            tried: Arc::default(),
        };
        let result = match self.line.load_full() {
            Some(line) => self.guarded_grpc(&line, call, timeout, context).await,
            None => Err(CallError::NotStarted {
                service: self.service().to_owned(),
            }),
        };
        match result {
            Ok((answer, trial, deadline, times)) => {
                Ok(self.answered(answer, trial, deadline, times, began))
            }
            Err(error) => {
                let took = clock::now().saturating_duration_since(began);
                self.meter.took(error.word(), took);
                self.meter.failed(&error);
                Err(error.into())
            }
        }
    }

    async fn guarded_grpc(
        &self,
        line: &Line,
        mut call: GrpcCall,
        timeout: Option<Duration>,
        context: Option<RequestContext>,
    ) -> Result<(GrpcAnswer, Option<Trial<Sdk>>, Deadline, Times), CallError> {
        let (now, rules) = (clock::now(), &line.way.enforced);
        let headers = call.head.headers();
        let asked = headers.get(TIMEOUT).and_then(|asked| asked.to_str().ok());
        let asked = asked.and_then(header::parse_grpc_timeout);
        let own = match (timeout, asked) {
            (Some(timeout), Some(asked)) => Some(timeout.min(asked)),
            (timeout, asked) => timeout.or(asked),
        };
        let inherited = context
            .as_ref()
            .map_or(Deadline::NEVER, RequestContext::deadline);
        let (whole, mut times) = times(rules, own, None, inherited, now);
        (call.deadline, call.whole) = (whole, whole);
        let of_policy = rules.timeouts.as_ref().map(|guard| guard.config.request);
        let is_said = own.is_some() || of_policy.is_some_and(|of| of != TimeLimit::Unset);
        // An answer to what is streamed may begin when that has ended.
        if !is_said && matches!(call.body, CallBody::Held(_)) {
            call.deadline = whole.nearer(Deadline::own(DEFAULT_TIMEOUT, now));
            times.call = Some(DEFAULT_TIMEOUT);
            times.inherited = times.inherited.filter(|_| call.deadline.is_inherited());
        }
        call.patience = call
            .deadline
            .remaining(now)
            .unwrap_or(PATIENCE)
            .min(PATIENCE);
        self.transport
            .sign(call.head.headers_mut(), context.as_ref());

        let by_key = |by: &_| key::of(by, call.head.headers(), call.head.uri());
        let exact = &self.transport.exact;
        let trial = exact.trial(&self.meter, &line.way, now, by_key).await;
        let tried = call.tried.clone();
        let deadline = call.deadline;
        let result = match self.limited(&line.way, &call.head, deadline, now).await {
            Ok(()) => self.through_grpc(line, call, true).await,
            Err(error) => Err(error.into()),
        };
        match result {
            Ok(answer) => Ok((answer, trial, whole, times)),
            Err(failure) => {
                if let Some(trial) = trial {
                    trial.end(Ended::Failed(failure.error_class()), clock::now());
                }
                Err(failure.into_error(self.service(), rules, times, &tried))
            }
        }
    }

    /// A call in the place of one to another service, among that one's layers.
    pub(super) async fn pass_grpc(&self, call: GrpcCall) -> Result<GrpcAnswer, Failure> {
        let line = self.line.load_full().ok_or_else(|| CallError::NotStarted {
            service: self.service().to_owned(),
        })?;
        self.limited(&line.way, &call.head, call.deadline, clock::now())
            .await?;
        let result = self.through_grpc(&line, call, false).await;
        result.map_err(|failure| failure.explained(self.service(), &line.way.enforced))
    }

    async fn through_grpc(
        &self,
        line: &Line,
        call: GrpcCall,
        with_fallback: bool,
    ) -> Result<GrpcAnswer, Failure> {
        self.resolved(call.patience).await?;
        let chain = match with_fallback {
            true => &line.grpc.whole,
            false => &line.grpc.bare,
        };
        chain.clone().oneshot(call).await
    }

    /// The answer as the caller gets it.
    fn answered(
        &self,
        answer: GrpcAnswer,
        trial: Option<Trial<Sdk>>,
        deadline: Deadline,
        times: Times,
        began: std::time::Instant,
    ) -> Response<Body> {
        let GrpcAnswer {
            mut response,
            ended,
            hold,
            place,
            lease,
            instance,
            stand_in,
        } = answer;
        if let Some(stand_in) = stand_in {
            self.meter.stood_in(&stand_in);
            let reason = HeaderValue::from_static(Reason::FallbackAnswered.code());
            response.headers_mut().insert(REASON, reason);
        }
        let holds = Holds {
            attempt: hold,
            place,
            trial,
            lease,
            meter: self.meter.clone(),
            began,
            service: self.service().to_owned(),
            instance: instance.clone(),
        };
        if let Some(ended) = ended {
            let said = match ended {
                Ended::Grpc(code) => word(code),
                Ended::Status(_) | Ended::Failed(_) => "broken",
            };
            holds.end(ended, said);
            return response.map(Body::new);
        }
        let timer = deadline.at().map(|at| {
            let (service, instance) = (self.service().to_owned(), Some(instance));
            let over = match times.inherited {
                Some(left) => CallError::DeadlineOver {
                    service,
                    instance,
                    left,
                },
                None => CallError::Timeout {
                    service,
                    instance,
                    after: times.call.unwrap_or_default(),
                },
            };
            (Box::pin(sleep_until(at.into())), over)
        });
        response.map(|inner| {
            Body::new(Stream {
                inner,
                timer,
                holds: Some(holds),
            })
        })
    }
}
