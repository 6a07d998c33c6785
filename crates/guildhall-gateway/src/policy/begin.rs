//! The first word of policies: rate limits, before any work is done for the request.

use std::{fmt, sync::Arc, time::Instant};

use guildhall_core::policy::guard::{Ended, Kept, Limits, Pass, Rejected, Trial};
use guildhall_resilience::{
    balance::xxh64,
    bulkhead::{Bulkhead, Permit},
    limiter::{RateLimit, header},
};
use http::{HeaderMap, HeaderName, HeaderValue, request, response};
use tokio::time::sleep_until;

use super::{
    answers::{AnswerKey, Keeping},
    key::Keys,
};
use crate::{
    answer::Refusal,
    body::reason_of,
    clock,
    connections::Client,
    exact,
    record::Record,
    snapshot::{Cluster, InGateway, Way},
    upstream::Deadline,
    worker::Worker,
};

const RATE_LIMIT: HeaderName = HeaderName::from_static(header::LIMIT);
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static(header::POLICY);

/// What is known of a request that is on a way. Part of its record: what it holds it holds until its answer's body ends.
pub(crate) struct Policed {
    pub(crate) way: Arc<Way>,
    /// Of what the service's balancer goes by.
    pub(crate) hash: u64,
    /// Where the request stands with its limits, as headers say it.
    standing: Option<(HeaderValue, Option<HeaderValue>)>,
    /// What would have happened to it.
    trial: Option<Trial<InGateway>>,
    /// Where its answer is kept, if it is a good one.
    keep: Option<(Kept<InGateway>, AnswerKey, usize)>,
    keeping: Option<Keeping>,
    /// Its place among those under way.
    pub(super) place: Option<Permit<Arc<Bulkhead>>>,
}

impl fmt::Debug for Policed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policed")
            .field("way", &self.way)
            .finish_non_exhaustive()
    }
}

impl Policed {
    /// Tells the client where it stands with its limits.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        if let Some((policy, standing)) = &self.standing {
            headers.insert(RATE_LIMIT_POLICY, policy.clone());
            if let Some(standing) = standing {
                headers.insert(RATE_LIMIT, standing.clone());
            }
        }
    }

    /// A good answer is to be kept.
    pub(super) fn keep(&mut self, kept: &Kept<InGateway>, key: AnswerKey, most: usize) {
        self.keep = Some((Arc::clone(kept), key, most));
    }

    /// The service answers so.
    pub(crate) fn answers(&mut self, head: &response::Parts) {
        if let Some((kept, key, most)) = self.keep.take() {
            self.keeping = Keeping::new(&kept, key, head, most);
        }
    }

    /// A piece of its answer's body.
    pub(crate) fn passes(&mut self, data: &[u8]) {
        if self
            .keeping
            .as_mut()
            .is_some_and(|keeping| !keeping.add(data))
        {
            self.keeping = None;
        }
    }

    /// Its answer has come to its end.
    pub(crate) fn ended(&mut self) {
        if let Some(keeping) = self.keeping.take() {
            keeping.store(clock::now());
        }
    }

    /// What is only tried learns how the request ended.
    pub(super) fn end_trial(&mut self, ended: Ended) {
        if let Some(trial) = self.trial.take() {
            trial.end(ended, clock::now());
        }
    }
}

/// Puts a request on its way, if its limits let it pass; one that is paced waits here.
pub(crate) async fn begin(
    client: &Client,
    record: &mut Record,
    cluster: &Cluster,
    way: Arc<Way>,
    head: &request::Parts,
    path: &str,
    deadline: &Deadline,
) -> Result<(), Refusal> {
    let keys = Keys {
        head,
        path,
        peer: &client.peer,
    };
    let now = clock::now();
    let (trial, admitted) = limited(record.worker(), &way, &keys, now).await;
    let hash_on = cluster.balance().and_then(|balance| balance.hash_on());
    let mut policed = Box::new(Policed {
        hash: hash_on.map_or(0, |by| xxh64(keys.find(by).as_bytes(), 0)),
        standing: None,
        trial,
        keep: None,
        keeping: None,
        place: None,
        way,
    });
    let way = Arc::clone(&policed.way);
    let (Some(limits), Some(admitted)) = (&way.enforced.rate_limit, admitted) else {
        record.policed = Some(policed);
        return Ok(());
    };
    let standing = match &admitted {
        Ok(pass) => pass
            .tightest
            .map(|(at, status)| shown(&limits.limits[at].name, &status)),
        Err(rejected) => refused(rejected),
    };
    let policy = HeaderValue::try_from(&*limits.policy_header);
    policed.standing = policy.ok().map(|policy| (policy, standing.flatten()));
    record.policed = Some(policed);
    let pass = admitted.map_err(Refusal::rejected)?;
    let Some(line) = pass.line else {
        return Ok(());
    };
    let turn = deadline.limit(sleep_until(line.at().into())).await;
    turn.map_err(|expired| {
        Refusal::new(
            reason_of(expired),
            "the request's turn in the rate limit's line would have come after its timeout",
        )
    })?;
    line.reached();
    Ok(())
}

/// What tried and enforced limits say of a request, if there are any.
async fn limited(
    worker: &Worker,
    way: &Arc<Way>,
    keys: &Keys<'_>,
    now: Instant,
) -> (Option<Trial<InGateway>>, Option<Result<Pass, Rejected>>) {
    let admit = async |limits: Option<&Limits>| match limits {
        Some(limits) => Some(exact::admit(worker, limits, now, |by| keys.find(by)).await),
        None => None,
    };
    let tried = way.tried.as_ref().map(|rules| rules.rate_limit.as_ref());
    // Beside each other, so that whoever counts elsewhere holds a request up once at most.
    let (tried, admitted) = tokio::join!(
        admit(tried.flatten()),
        admit(way.enforced.rate_limit.as_ref()),
    );
    let trial = match tried {
        Some(Err(_)) => None,
        Some(Ok(pass)) => {
            pass.forgo_line();
            way.trial_behind_limits(clock::now())
        }
        None => way.trial_behind_limits(now),
    };
    (trial, admitted)
}

fn shown(name: &str, status: &RateLimit) -> Option<HeaderValue> {
    HeaderValue::try_from(header::limit(name, status).to_string()).ok()
}

fn refused(rejected: &Rejected) -> Option<Option<HeaderValue>> {
    let status = RateLimit {
        limit: 0,
        remaining: 0,
        reset: rejected.retry_after?,
    };
    Some(shown(rejected.rule.as_ref()?, &status))
}
