//! Naive retry: three attempts at once after each other, no budget, no breaker. What an HTTP client in a loop does.

use guildhall_resilience::balance::RoundRobin;

use super::{Asked, Attempt, Ended, Log, Next, Strategy};
use crate::time::Nanos;

#[derive(Debug)]
pub(crate) struct Naive {
    turns: RoundRobin,
    attempts: u32,
    timeout: Option<Nanos>,
    log: Log,
}

impl Naive {
    pub(crate) fn new(endpoints: usize, attempts: u32, timeout: Option<Nanos>) -> Self {
        Self {
            turns: RoundRobin::new(vec![1; endpoints]),
            attempts,
            timeout,
            log: Log::default(),
        }
    }
}

impl Strategy for Naive {
    type Hold = ();

    fn admit(&mut self, _: &Asked, _: Nanos) -> bool {
        true
    }

    fn attempt(&mut self, _: &Asked, _: &[u32], _: Nanos) -> Attempt<()> {
        match self.turns.pick(|_| true) {
            Some(endpoint) => Attempt::Send {
                endpoint,
                timeout: self.timeout,
                hold: (),
            },
            None => Attempt::Refuse,
        }
    }

    fn ended(&mut self, (): (), _: Ended, _: Nanos) {}

    fn next(&mut self, asked: &Asked, _: Ended, _: Nanos) -> Next {
        if asked.tries < self.attempts {
            Next::Again { after: 0 }
        } else {
            Next::GiveUp
        }
    }

    fn tick(&mut self, _: Nanos) {}

    fn log(&self) -> &Log {
        &self.log
    }
}
