//! One service that is called: its instances, and the chain that its policies make.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use guildhall_core::policy::guard::Way;
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
    discovery::{Directory, Known},
    metrics::Meter,
    policy::{Callees, Sdk},
};

/// How long a call waits for the platform's first answer, if its own timeout is longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// One service that is called, shared by all its clients.
pub(crate) struct Target {
    directory: Arc<Directory>,
    transport: Arc<Transport>,
    pub(crate) meter: Arc<Meter>,
    line: ArcSwapOption<Line>,
}

/// What holds for calls at present.
struct Line {
    way: Arc<Way<Sdk>>,
    balancing: Arc<Balancing>,
    whole: Chain,
    /// Without what stands in for the service.
    bare: Chain,
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

    /// The service's name.
    pub(crate) fn service(&self) -> &str {
        self.directory.service()
    }

    /// What holds from now on; calls under way go on as they began.
    pub(crate) fn follow(&self, way: Arc<Way<Sdk>>, callees: &Weak<Callees>) {
        let before = self.line.load();
        let before = before.as_ref().map(|line| &*line.balancing);
        let balancing = Arc::new(Balancing::new(&way, before));
        let limit = way.enforced.timeouts.as_ref();
        let attempt = Attempt {
            directory: self.directory.clone(),
            transport: self.transport.clone(),
            balancing: balancing.clone(),
            way: way.clone(),
            limit: limit.and_then(|guard| guard.config.attempt.or(None)),
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
        let timeouts = rules.timeouts.as_ref().map(|guard| guard.config);
        let of_policy = timeouts.unwrap_or_default().request;
        let times = Times {
            // What the code says holds as far as the policy does not say less.
            call: match timeout {
                Some(timeout) => Some(of_policy.or(None).map_or(timeout, |of| of.min(timeout))),
                None => of_policy.or(Some(DEFAULT_TIMEOUT)),
            },
            attempt: timeouts.and_then(|timeouts| timeouts.attempt.or(None)),
            inherited: None,
        };
        let own = times
            .call
            .map_or(Deadline::NEVER, |limit| Deadline::own(limit, now));
        let margin = timeouts.unwrap_or_default().margin;
        let deadline = own.nearer(inherited.less(margin));
        let times = Times {
            inherited: deadline.remaining(now).filter(|_| deadline.is_inherited()),
            ..times
        };
        self.transport.sign(request.headers_mut(), context.as_ref());

        let trial = line.way.trial(now, |by| key::of(by, &request));
        let outgoing = Outgoing {
            patience: deadline.remaining(now).unwrap_or(PATIENCE).min(PATIENCE),
            request: request.clone(),
            deadline,
            tried: Arc::default(),
        };
        let tried = outgoing.tried.clone();
        let result = match self.limited(line, &outgoing, now).await {
            Ok(()) => self.through(&line.whole, outgoing).await,
            Err(error) => Err(error.into()),
        };
        if let Some(trial) = trial {
            trial.end(rules::ended(result.as_ref()), clock::now());
        }
        result.map_err(|failure| failure.into_error(service, rules, times, &tried))
    }

    /// Asks the rate limits; waits where one lets calls wait.
    async fn limited(
        &self,
        line: &Line,
        outgoing: &Outgoing,
        now: Instant,
    ) -> Result<(), CallError> {
        let Some(limits) = &line.way.enforced.rate_limit else {
            return Ok(());
        };
        let rejected = |rejected| CallError::Rejected {
            service: self.service().to_owned(),
            rejected,
        };
        let pass = limits
            .admit(now, |by| key::of(by, &outgoing.request))
            .map_err(rejected)?;
        let Some(place) = pass.line else {
            return Ok(());
        };
        // To wait for longer than anybody waits for the answer is no use.
        if outgoing.deadline.at().is_some_and(|at| at <= place.at()) {
            let by = Pattern::RateLimit;
            let retry_after = Some(place.wait());
            return Err(rejected(
                line.way.enforced.explain(Rejection { by, retry_after }),
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
        self.limited(&line, &outgoing, clock::now()).await?;
        let result = self.through(&line.bare, outgoing).await;
        result.map_err(|failure| failure.explained(self.service(), &line.way.enforced))
    }

    /// Sends a call through its chain once it is known whom to call: no attempt's time is spent on that.
    async fn through(&self, chain: &Chain, outgoing: Outgoing) -> Result<Answer, Failure> {
        if let Known::Waiting = self.directory.known(outgoing.patience).await {
            let service = self.service().to_owned();
            let waited = outgoing.patience;
            return Err(CallError::Unresolved { service, waited }.into());
        }
        chain.clone().oneshot(outgoing).await
    }
}
