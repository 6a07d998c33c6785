//! The naive model: who is in, who waits, who was called and has not come yet.

use std::time::Instant;

use guildhall_resilience::bulkhead::{Bulkhead, BulkheadStats, Entry, Progress, Reason};
use proptest::prelude::*;

use super::{Bell, Place, Waiter, config, ms, start};

#[derive(Clone, Copy, Debug)]
enum Step {
    Enter {
        deadline: Option<u64>,
    },
    Leave(usize),
    Poll(usize),
    Cancel(usize),
    Pass(u64),
    Resize {
        max_concurrent: u32,
        max_queued: u32,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::option::of(0..1_500u64).prop_map(|deadline| Step::Enter { deadline }),
        3 => (0..6usize).prop_map(Step::Leave),
        3 => (0..6usize).prop_map(Step::Poll),
        2 => (0..6usize).prop_map(Step::Cancel),
        2 => (0..400u64).prop_map(Step::Pass),
        1 => (1..4u32, 0..5u32).prop_map(|(max_concurrent, max_queued)| Step::Resize { max_concurrent, max_queued }),
    ]
}

struct Line {
    id: u32,
}

#[derive(Default)]
struct Model {
    max_concurrent: u32,
    max_queued: u32,
    in_flight: u32,
    waiting: Vec<Line>,
    woken: Vec<u32>,
}

impl Model {
    fn enter(&mut self, id: u32, deadline: Instant, now: Instant) -> Result<bool, Reason> {
        if self.waiting.is_empty() && self.in_flight < self.max_concurrent {
            self.in_flight += 1;
            return Ok(true);
        }
        if self.waiting.len() >= self.max_queued as usize {
            return Err(Reason::Full);
        }
        if deadline <= now {
            return Err(Reason::TooLate);
        }
        self.waiting.push(Line { id });
        Ok(false)
    }

    fn leave(&mut self) {
        if self.waiting.is_empty() || self.in_flight > self.max_concurrent {
            self.in_flight -= 1;
        } else {
            self.woken.push(self.waiting.remove(0).id);
        }
    }

    fn position(&self, id: u32) -> Option<usize> {
        self.waiting.iter().position(|line| line.id == id)
    }

    fn resize(&mut self, max_concurrent: u32, max_queued: u32) {
        (self.max_concurrent, self.max_queued) = (max_concurrent, max_queued);
        while !self.waiting.is_empty() && self.in_flight < max_concurrent {
            self.in_flight += 1;
            self.woken.push(self.waiting.remove(0).id);
        }
    }
}

proptest! {
    #[test]
    fn it_admits_in_order_and_loses_no_place(
        max_concurrent in 1..4u32, max_queued in 0..5u32, steps in prop::collection::vec(step(), 1..150),
    ) {
        let woken = std::rc::Rc::default();
        let bulkhead = Bulkhead::new(config(max_concurrent, max_queued));
        let mut model = Model { max_concurrent, max_queued, ..Model::default() };
        let mut places: Vec<Place<'_>> = Vec::new();
        let mut tickets: Vec<(u32, Instant, Waiter<'_>)> = Vec::new();
        let mut now = start();
        let mut ids = 0..;
        for step in steps {
            match step {
                Step::Enter { deadline } => {
                    let id = ids.next().unwrap();
                    let own = deadline.map(|deadline| now + ms(deadline));
                    let most = now + bulkhead.config().max_wait();
                    let deadline = own.map_or(most, |own| own.min(most));
                    let bell = || Bell(std::rc::Rc::clone(&woken), id);
                    let got = Bulkhead::enter(&bulkhead, own, now, bell);
                    match model.enter(id, deadline, now) {
                        Ok(true) => places.push(super::admitted(got.unwrap())),
                        Ok(false) => {
                            let ticket = super::queued(got.unwrap());
                            prop_assert_eq!(ticket.deadline(), deadline);
                            tickets.push((id, deadline, ticket));
                        }
                        Err(reason) => prop_assert_eq!(got.unwrap_err().reason, reason),
                    }
                }
                Step::Leave(at) => if at < places.len() {
                    drop(places.remove(at));
                    model.leave();
                },
                Step::Poll(at) => if at < tickets.len() {
                    let (id, deadline, mut ticket) = tickets.remove(at);
                    let progress = ticket.poll(now, || Bell(std::rc::Rc::clone(&woken), id));
                    match (model.position(id), now >= deadline, progress) {
                        (Some(_), false, Progress::Waiting) => tickets.insert(at, (id, deadline, ticket)),
                        (Some(line), true, Progress::TooLate(_)) => drop(model.waiting.remove(line)),
                        (None, false, Progress::Admitted(permit)) => places.push(permit),
                        (None, true, Progress::TooLate(_)) => model.leave(),
                        (line, late, progress) => prop_assert!(false, "{line:?} {late} {:?}", std::mem::discriminant(&progress)),
                    }
                },
                Step::Cancel(at) => if at < tickets.len() {
                    let (id, _, ticket) = tickets.remove(at);
                    drop(ticket);
                    match model.position(id) {
                        Some(line) => drop(model.waiting.remove(line)),
                        None => model.leave(),
                    }
                },
                Step::Pass(by) => now += ms(by),
                Step::Resize { max_concurrent, max_queued } => {
                    bulkhead.reconfigure(config(max_concurrent, max_queued));
                    model.resize(max_concurrent, max_queued);
                }
            }
            let stats = BulkheadStats { in_flight: model.in_flight, queued: model.waiting.len() as u32 };
            prop_assert_eq!(bulkhead.stats(), stats);
            prop_assert_eq!(&*woken.borrow(), &model.woken);
        }
        // Whatever happened, everybody who goes leaves nothing behind.
        drop((places, tickets));
        prop_assert_eq!(bulkhead.stats(), BulkheadStats { in_flight: 0, queued: 0 });
        let after = Bulkhead::enter(&bulkhead, None, now, || Bell(std::rc::Rc::clone(&woken), 0));
        prop_assert!(matches!(after, Ok(Entry::Admitted(_))));
    }
}
