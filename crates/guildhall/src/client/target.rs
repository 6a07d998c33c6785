//! One service that is called: its instances, and the chain that its policies make.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use guildhall_core::policy::guard::{Rules, Way};
use guildhall_resilience::{Pattern, Rejection, deadline::Deadline};
use http::Request;
use tower::ServiceExt;

use super::{
    Answer, CallError, DEFAULT_TIMEOUT, Transport,
    attempt::Attempt,
    balance::Balancing,
    chain::{Chain, chain},
    failure::{Failure, Times},
    key,
    outgoing::Outgoing,
    rules,
};
use crate::{
    RequestContext, clock,
    discovery::{Callee, Directory, Known},
    metrics::Meter,
    policy::{Callees, Sdk},
};

/// How long a call waits for the platform's first answer, if its own timeout is longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// One service that is called, shared by all its clients.
pub(crate) struct Target {
    directory: Arc<Directory>,
    pub(super) transport: Arc<Transport>,
    pub(crate) meter: Arc<Meter>,
    pub(super) line: ArcSwapOption<Line>,
}

/// What holds for calls at present.
pub(super) struct Line {
    pub(super) way: Arc<Way<Sdk>>,
    balancing: Arc<Balancing>,
    whole: Chain,
    /// Without what stands in for the service.
    bare: Chain,
    /// The same for gRPC.
    #[cfg(feature = "grpc")]
    pub(super) grpc: super::grpc::Lane,
}

impl Target {
    pub(crate) fn new(
        directory: Arc<Directory>,
        transport: Arc<Transport>,
        meter: Arc<Meter>,
    ) -> Self {
        Self {
            directory,
            transport,
            meter,
            line: ArcSwapOption::empty(),
        }
    }

    /// The service that is called.
    pub(crate) fn callee(&self) -> &Callee {
        self.directory.callee()
    }

    /// The service's name, with its namespace if that is not the caller's.
    pub(crate) fn service(&self) -> &str {
        self.directory.service()
    }

    /// What holds from now on; calls under way go on as they began.
    pub(crate) fn follow(&self, way: Arc<Way<Sdk>>, callees: &Weak<Callees>) {
        let present = self.line.load();
        let before = present.as_ref().map(|line| &*line.balancing);
        let balancing = Arc::new(Balancing::new(&way, before));
        let limit = way.enforced.timeouts.as_ref();
        let attempt = Attempt {
            directory: self.directory.clone(),
            transport: self.transport.clone(),
            balancing: balancing.clone(),
            way: way.clone(),
            limit: limit.and_then(|guard| guard.config.attempt.or(None)),
        };
        #[cfg(feature = "grpc")]
        let grpc = {
            let before = present.as_ref().map(|line| &line.grpc);
            super::grpc::Lane::new(&attempt, before, &self.meter, callees)
        };
        let chain = |attempt, whole| chain(&way, attempt, &self.meter, callees, whole);
        let whole = chain(attempt.clone(), true);
        let bare = match way.enforced.fallback {
            Some(_) => chain(attempt, false),
            None => whole.clone(),
        };
        if let Some(breaker) = &way.enforced.breaker {
            self.meter.breaker(breaker.machine.state());
        }
        self.line.store(Some(Arc::new(Line {
            way,
            balancing,
            whole,
            bare,
            #[cfg(feature = "grpc")]
            grpc,
        })));
    }

    /// The way that holds at present.
    pub(crate) fn way(&self) -> Option<Arc<Way<Sdk>>> {
        Some(self.line.load().as_ref()?.way.clone())
    }

    /// Makes a call that may take `timeout`, or as long as the policy says.
    pub(super) async fn send(
        &self,
        request: Request<Bytes>,
        timeout: Option<Duration>,
    ) -> Result<Answer, CallError> {
        let began = clock::now();
        let result = match self.line.load_full() {
            Some(line) => self.guarded(&line, request, timeout, began).await,
            // Its name is none, or the service has not started.
            None => Err(CallError::NotStarted {
                service: self.service().to_owned(),
            }),
        };
        let took = clock::now().saturating_duration_since(began);
        self.meter.ended(&result, took);
        result
    }

    async fn guarded(
        &self,
        line: &Line,
        mut request: Request<Bytes>,
        timeout: Option<Duration>,
        now: Instant,
    ) -> Result<Answer, CallError> {
        let (service, rules) = (self.service(), &line.way.enforced);
        let context = RequestContext::current();
        let inherited = context
            .as_ref()
            .map_or(Deadline::NEVER, RequestContext::deadline);
        let (deadline, times) = times(rules, timeout, Some(DEFAULT_TIMEOUT), inherited, now);
        self.transport.sign(request.headers_mut(), context.as_ref());

        let by_key = |by: &_| key::of(by, request.headers(), request.uri());
        let exact = &self.transport.exact;
        let trial = exact.trial(&self.meter, &line.way, now, by_key).await;
        let outgoing = Outgoing {
            patience: deadline.remaining(now).unwrap_or(PATIENCE).min(PATIENCE),
            request: request.clone(),
            deadline,
            tried: Arc::default(),
        };
        let tried = outgoing.tried.clone();
        let result = match self.limited(&line.way, &request, deadline, now).await {
            Ok(()) => self.through(&line.whole, outgoing).await,
            Err(error) => Err(error.into()),
        };
        if let Some(trial) = trial {
            trial.end(rules::ended(result.as_ref()), clock::now());
        }
        result.map_err(|failure| failure.into_error(service, rules, times, &tried))
    }

    /// Asks the rate limits; waits where one lets calls wait.
    pub(super) async fn limited<B>(
        &self,
        way: &Way<Sdk>,
        request: &Request<B>,
        deadline: Deadline,
        now: Instant,
    ) -> Result<(), CallError> {
        let Some(limits) = &way.enforced.rate_limit else {
            return Ok(());
        };
        let rejected = |rejected| CallError::Rejected {
            service: self.service().to_owned(),
            rejected,
        };
        let by_key = |by: &_| key::of(by, request.headers(), request.uri());
        let exact = &self.transport.exact;
        let pass = exact.admit(&self.meter, limits, now, by_key).await;
        let pass = pass.map_err(rejected)?;
        let Some(place) = pass.line else {
            return Ok(());
        };
        // To wait for longer than anybody waits for the answer is no use.
        if deadline.at().is_some_and(|at| at <= place.at()) {
            let by = Pattern::RateLimit;
            let retry_after = Some(place.wait());
            return Err(rejected(
                way.enforced.explain(Rejection { by, retry_after }),
            ));
        }
        tokio::time::sleep_until(place.at().into()).await;
        place.reached();
        Ok(())
    }

    /// A call in the place of one to another service, among that one's layers.
    pub(super) async fn pass(&self, outgoing: Outgoing) -> Result<Answer, Failure> {
        let line = self.line.load_full().ok_or_else(|| CallError::NotStarted {
            service: self.service().to_owned(),
        })?;
        let Outgoing {
            request, deadline, ..
        } = &outgoing;
        self.limited(&line.way, request, *deadline, clock::now())
            .await?;
        let result = self.through(&line.bare, outgoing).await;
        result.map_err(|failure| failure.explained(self.service(), &line.way.enforced))
    }

    /// Sends a call through its chain once it is known whom to call: no attempt's time is spent on that.
    async fn through(&self, chain: &Chain, outgoing: Outgoing) -> Result<Answer, Failure> {
        self.resolved(outgoing.patience).await?;
        chain.clone().oneshot(outgoing).await
    }

    /// Waits until it is known whom to call, for as long as `patience`.
    pub(super) async fn resolved(&self, patience: Duration) -> Result<(), CallError> {
        match self.directory.known(patience).await {
            Known::Waiting => Err(CallError::Unresolved {
                service: self.service().to_owned(),
                waited: patience,
            }),
            _ => Ok(()),
        }
    }
}

/// How long a call has that may take `timeout` by the code, and `default` if neither code nor policy says, within the
/// deadline of the request that is being answered.
pub(super) fn times(
    rules: &Rules<Sdk>,
    timeout: Option<Duration>,
    default: Option<Duration>,
    inherited: Deadline,
    now: Instant,
) -> (Deadline, Times) {
    let timeouts = rules.timeouts.as_ref().map(|guard| guard.config);
    let timeouts = timeouts.unwrap_or_default();
    let call = match timeout {
        // What the code says holds as far as the policy does not say less.
        Some(timeout) => {
            Some((timeouts.request.or(None)).map_or(timeout, |of_policy| of_policy.min(timeout)))
        }
        None => timeouts.request.or(default),
    };
    let own = call.map_or(Deadline::NEVER, |limit| Deadline::own(limit, now));
    let deadline = own.nearer(inherited.less(timeouts.margin));
    let times = Times {
        call,
        attempt: timeouts.attempt.or(None),
        inherited: deadline.remaining(now).filter(|_| deadline.is_inherited()),
    };
    (deadline, times)
}
