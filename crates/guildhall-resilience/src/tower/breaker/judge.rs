//! What an answer says about the service: [`Classify`] for HTTP, or a closure.

use std::{fmt, sync::Arc};

use http::Response;

use crate::{
    Outcome,
    breaker::{Refusal, Transition},
    classify::{Classify, ErrorClass},
};

/// Judges answers for a breaker, and hears what the breaker does. A closure from result to [`Outcome`] is one.
pub trait Judge<Res, Err> {
    /// What the answer says about the service.
    fn outcome(&self, result: Result<&Res, &Err>) -> Outcome;

    /// The breaker changed its state: the place to count and log, once for each.
    fn changed(&self, transition: Transition) {
        let _ = transition;
    }

    /// The breaker turned a request away: the place to count, once for each.
    fn refused(&self, refusal: &Refusal) {
        let _ = refusal;
    }
}

impl<Res, Err, F: Fn(Result<&Res, &Err>) -> Outcome> Judge<Res, Err> for F {
    fn outcome(&self, result: Result<&Res, &Err>) -> Outcome {
        self(result)
    }
}

/// Judges HTTP answers by [`Classify`].
pub struct HttpJudge<E> {
    rules: Arc<Classify>,
    class_of: fn(&E) -> ErrorClass,
}

impl<E> HttpJudge<E> {
    /// By these rules, with errors classified by `class_of`.
    pub fn new(rules: Classify, class_of: fn(&E) -> ErrorClass) -> Self {
        Self {
            rules: Arc::new(rules),
            class_of,
        }
    }
}

impl<E> Clone for HttpJudge<E> {
    fn clone(&self) -> Self {
        Self {
            rules: self.rules.clone(),
            class_of: self.class_of,
        }
    }
}

impl<E> fmt::Debug for HttpJudge<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpJudge").finish_non_exhaustive()
    }
}

impl<B, E> Judge<Response<B>, E> for HttpJudge<E> {
    fn outcome(&self, result: Result<&Response<B>, &E>) -> Outcome {
        match result {
            Ok(response) => self.rules.status(response.status().as_u16()),
            Err(error) => self.rules.error((self.class_of)(error)),
        }
    }
}
