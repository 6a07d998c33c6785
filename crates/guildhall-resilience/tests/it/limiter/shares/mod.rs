//! One limit for many: what is granted, who gets how much, and what passes in the end.

mod fleet;
mod ledger;
mod resized;

use guildhall_resilience::limiter::shares::{Claim, Part, Shares};
use std::time::{Duration, Instant};

use super::{ms, quota, start};

fn claim(held: Option<Part>, demand: f64) -> Claim {
    Claim {
        held,
        demand: Some(Part::from_f64(demand)),
    }
}

/// Holders that report by turns, each second, and hear every answer.
struct Round {
    shares: Shares<usize>,
    held: Vec<Option<Part>>,
    now: Instant,
}

impl Round {
    fn new(holders: usize) -> Self {
        let now = start();
        Self {
            shares: Shares::new(now),
            held: vec![None; holders],
            now,
        }
    }

    fn turn(&mut self, demands: &[f64]) {
        self.now += ms(1_000);
        for (holder, demand) in demands.iter().enumerate() {
            let told = self
                .shares
                .report(&holder, claim(self.held[holder], *demand), self.now);
            self.held[holder] = told.or(self.held[holder]);
        }
    }

    fn parts(&self) -> Vec<String> {
        let part = |part: &Option<Part>| part.map_or("-".to_owned(), |part| part.to_string());
        self.held.iter().map(part).collect()
    }
}

fn second() -> Duration {
    ms(1_000)
}
