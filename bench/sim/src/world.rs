//! One run: events in virtual time, a strategy on one side, endpoints on the other.
//!
//! The world does what the strategy decides and tells it what came of it. It keeps no opinion: what is a good answer is
//! [`Verdict`]'s, what a failure means is the strategy's.

use std::collections::HashMap;

use fastrand::Rng;
use guildhall_resilience::shed::Criticality;

use crate::backend::{Endpoint, Job, Offered, Serving, Site, exponential};
use crate::event::Events;
use crate::measure::{Record, Verdict};
use crate::scenario::Scenario;
use crate::strategy::{Asked, Attempt, Ended, Next, Strategy};
use crate::time::{MILLISECOND, Nanos};

const TICK: Nanos = 100 * MILLISECOND;

/// Of a hundred requests, how many are of which class. Only ours tells them apart.
const MIX: [(u32, Criticality); 4] = [
    (10, Criticality::CriticalPlus),
    (70, Criticality::Critical),
    (10, Criticality::SheddablePlus),
    (10, Criticality::Sheddable),
];

#[derive(Debug)]
enum Happening {
    Arrival,
    /// The load may have changed: arrivals are drawn anew.
    Step,
    /// A retry's pause is over.
    Again(u64),
    /// A worker is done.
    Served {
        endpoint: usize,
        serving: Serving,
    },
    Timeout(Job),
    /// The caller goes away.
    Leaves(u64),
    Tick,
}

/// A request that has not ended.
#[derive(Debug)]
struct Live<H> {
    asked: Asked,
    arrived: Nanos,
    under_way: Option<UnderWay<H>>,
}

#[derive(Debug)]
struct UnderWay<H> {
    attempt: u32,
    endpoint: usize,
    hold: H,
}

/// See [the module](self).
pub(crate) struct World<'s, S: Strategy> {
    site: Site,
    scenario: &'s Scenario,
    strategy: S,
    events: Events<Happening>,
    endpoints: Vec<Endpoint>,
    live: HashMap<u64, Live<S::Hold>>,
    in_flight: Vec<u32>,
    /// Requests so far.
    requests: u64,
    /// Arrivals of one seed are the same whatever the strategy.
    arrivals: Rng,
    /// The arrival that is planned; what a step replaces is passed over.
    next_arrival: Nanos,
    services: Rng,
    record: Record,
}

impl<'s, S: Strategy> World<'s, S> {
    /// Runs `scenario` to its end, and until the last request has ended.
    pub(crate) fn run(site: Site, scenario: &'s Scenario, strategy: S, seed: u64) -> Record {
        let mut seeds = Rng::with_seed(seed);
        let mut world = Self {
            site,
            scenario,
            strategy,
            events: Events::new(),
            endpoints: (0..site.endpoints).map(|_| Endpoint::new(&site)).collect(),
            live: HashMap::new(),
            in_flight: vec![0; site.endpoints],
            requests: 0,
            arrivals: seeds.fork(),
            next_arrival: 0,
            services: seeds.fork(),
            record: Record::default(),
        };
        world.events.plan(0, Happening::Step);
        world.events.plan(TICK, Happening::Tick);
        while let Some((now, happening)) = world.events.next() {
            world.happens(happening, now);
        }
        world.record.log = world.strategy.log().clone();
        world.record
    }

    fn happens(&mut self, happening: Happening, now: Nanos) {
        match happening {
            Happening::Step => {
                if let Some(next) = self.scenario.next_step(now) {
                    self.events.plan(next, Happening::Step);
                }
                self.plan_arrival(now);
            }
            Happening::Arrival if now == self.next_arrival => {
                self.arrives(now);
                self.plan_arrival(now);
            }
            Happening::Arrival => {}
            Happening::Again(request) => self.attempt(request, now),
            Happening::Served { endpoint, serving } => {
                let condition = self.scenario.condition(endpoint, now);
                let next = self.endpoints[endpoint].done(condition, &mut self.services);
                if let Some(serving) = next {
                    self.serve(endpoint, serving, now);
                }
                let ended = match serving.fails {
                    true => Ended::Unavailable,
                    false => Ended::Success,
                };
                self.attempt_ended(serving.job, ended, now);
            }
            Happening::Timeout(job) => self.attempt_ended(job, Ended::Timeout, now),
            Happening::Leaves(request) => {
                let Some(live) = self.live.get_mut(&request) else {
                    return;
                };
                if let Some(under_way) = live.under_way.take() {
                    self.in_flight[under_way.endpoint] -= 1;
                    self.strategy.ended(under_way.hold, Ended::CallerLeft, now);
                }
                self.over(request, Verdict::Left, now);
            }
            Happening::Tick => {
                self.strategy.tick(now);
                self.record.limits.extend(self.strategy.limit());
                if now < self.scenario.ends {
                    self.events.plan(now + TICK, Happening::Tick);
                }
            }
        }
    }

    fn plan_arrival(&mut self, now: Nanos) {
        let rate = self.scenario.load_at(now) * self.site.capacity();
        if rate <= 0.0 {
            return;
        }
        let at = now + exponential(1e9 / rate, &mut self.arrivals).max(1);
        if at < self.scenario.ends {
            self.next_arrival = at;
            self.events.plan(at, Happening::Arrival);
        }
    }

    fn arrives(&mut self, now: Nanos) {
        let request = self.requests;
        self.requests += 1;
        let mut draw = self.arrivals.u32(0..100);
        let mut criticality = Criticality::Critical;
        for (share, class) in MIX {
            if draw < share {
                criticality = class;
                break;
            }
            draw -= share;
        }
        self.record.arrived(criticality, now);
        let deadline = now + self.site.patience;
        let asked = Asked {
            criticality,
            deadline,
            tries: 0,
            tried: 0,
        };
        if !self.strategy.admit(&asked, now) {
            self.record.ended(Verdict::Refused, criticality, now, now);
            return;
        }
        let live = Live {
            asked,
            arrived: now,
            under_way: None,
        };
        self.live.insert(request, live);
        self.events.plan(deadline, Happening::Leaves(request));
        self.attempt(request, now);
    }

    fn attempt(&mut self, request: u64, now: Nanos) {
        let Some(live) = self.live.get_mut(&request) else {
            // The caller went during the pause.
            return self.strategy.abandoned();
        };
        let attempt = self.strategy.attempt(&live.asked, &self.in_flight, now);
        live.asked.tries += 1;
        let (endpoint, timeout, hold) = match attempt {
            Attempt::Refuse => return self.failed(request, Ended::Refused, now),
            Attempt::Send {
                endpoint,
                timeout,
                hold,
            } => (endpoint, timeout, hold),
        };
        self.record.sent(live.asked.tried == 0, now);
        live.asked.tried |= 1 << endpoint;
        let job = Job {
            request,
            attempt: live.asked.tries,
        };
        live.under_way = Some(UnderWay {
            attempt: job.attempt,
            endpoint,
            hold,
        });
        self.in_flight[endpoint] += 1;
        if let Some(timeout) = timeout {
            self.events.plan(now + timeout, Happening::Timeout(job));
        }
        let condition = self.scenario.condition(endpoint, now);
        match self.endpoints[endpoint].offer(job, condition, &mut self.services) {
            Offered::Serving(serving) => self.serve(endpoint, serving, now),
            Offered::Queued => {}
            Offered::Refused => self.attempt_ended(job, Ended::Connect, now),
        }
    }

    fn serve(&mut self, endpoint: usize, serving: Serving, now: Nanos) {
        let at = now + serving.takes;
        self.events
            .plan(at, Happening::Served { endpoint, serving });
    }

    fn attempt_ended(&mut self, job: Job, ended: Ended, now: Nanos) {
        // Nobody waits for what was given up.
        let Some(live) = self.live.get_mut(&job.request) else {
            return;
        };
        let Some(under_way) = live.under_way.take_if(|of| of.attempt == job.attempt) else {
            return;
        };
        self.in_flight[under_way.endpoint] -= 1;
        self.strategy.ended(under_way.hold, ended, now);
        if ended == Ended::Success {
            self.over(job.request, Verdict::Good, now);
        } else {
            self.failed(job.request, ended, now);
        }
    }

    fn failed(&mut self, request: u64, ended: Ended, now: Nanos) {
        let Some(live) = self.live.get(&request) else {
            return;
        };
        match self.strategy.next(&live.asked, ended, now) {
            Next::Again { after } => self.events.plan(now + after, Happening::Again(request)),
            Next::GiveUp if live.asked.tried == 0 => self.over(request, Verdict::Refused, now),
            Next::GiveUp => self.over(request, Verdict::Failed, now),
        }
    }

    fn over(&mut self, request: u64, verdict: Verdict, now: Nanos) {
        if let Some(live) = self.live.remove(&request) {
            self.record
                .ended(verdict, live.asked.criticality, live.arrived, now);
        }
    }
}
