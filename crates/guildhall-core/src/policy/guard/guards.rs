//! All machines there are, and the ways over them.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use guildhall_resilience::{
    adaptive::{Adaptive, AdaptiveConfig},
    breaker::{self, Breaker},
    bulkhead::{Bulkhead, BulkheadConfig},
    fallback::LastGood,
    hedge::{Hedge, HedgeConfig},
    outlier::{self, Outlier},
    retry::{Budget, BudgetConfig},
};

use super::{
    key::{OfRule, OfService},
    limits::{Limit, Limits, Machine},
    ruled::Ruled,
    share::Granted,
    shelf::{Known, Shelf},
    way::{FallbackGuard, Guard, HedgeGuard, RetryGuard, Rules, Shell, Way},
};
use crate::{
    document::Timestamp,
    policy::{
        compile::{
            BreakerRule, FallbackRule, HedgeRule, KeptAnswers, LimitRule, Limiter, RetryRule, Rule,
        },
        effective::{Effective, Policies, Source},
        spec::{RateLimitScope, Section},
        target::Chain,
    },
    route::table::{ClusterKey, RuleRetry},
};

/// How long a machine is kept after the last way that used it, so that a rule that is put back finds it again.
pub const KEPT: Duration = Duration::from_secs(600);

/// How many machines of a kind are kept at most beyond those in use: over it, those that have been unused longest go.
pub const MOST: usize = 10_000;

/// All machines there are; see [the module](super). Owned by one task.
pub struct Guards<S: Shell> {
    pub(super) breakers: Shelf<OfService, Breaker, breaker::Config>,
    outliers: Shelf<OfService, Outlier<S::Endpoint>, outlier::Config>,
    pub(super) bulkheads: Shelf<OfService, Bulkhead, BulkheadConfig>,
    pub(super) adaptives: Shelf<OfService, Adaptive, AdaptiveConfig>,
    pub(super) timeouts: Shelf<OfService, (), ()>,
    retries: Shelf<OfService, Budget, BudgetConfig>,
    hedges: Shelf<OfService, Hedge, ()>,
    hedge_budgets: Shelf<OfService, Budget, BudgetConfig>,
    answers: Shelf<(ClusterKey, [usize; 2]), Answers<S>, ()>,
    pub(super) limits: Shelf<OfRule, Machine, LimitRule>,
    /// When each outlier detector's interval is over.
    sweeps: Vec<(OfService, Instant)>,
    seeds: Seeds,
}

type Answers<S> = Mutex<LastGood<<S as Shell>::AnswerKey, <S as Shell>::Answer>>;

/// What happened to an endpoint of a service.
pub type Ejection<E> = (ClusterKey, outlier::Event<E>);

impl<S: Shell> Guards<S> {
    /// No machines. `seed` is of their jitter: give each process its own, so that they do not come back together.
    pub fn new(seed: u64) -> Self {
        Self {
            breakers: Shelf::new(),
            outliers: Shelf::new(),
            bulkheads: Shelf::new(),
            adaptives: Shelf::new(),
            timeouts: Shelf::new(),
            retries: Shelf::new(),
            hedges: Shelf::new(),
            hedge_budgets: Shelf::new(),
            answers: Shelf::new(),
            limits: Shelf::new(),
            sweeps: Vec::new(),
            seeds: Seeds(seed),
        }
    }

    /// What holds for requests to `service` on the way `chain`, which has the service in it; `wall` decides which orders
    /// to breakers still hold. Ask again after each change of policies: machines that are not concerned by it are the
    /// same, untouched.
    pub fn way(
        &mut self,
        policies: &Policies,
        chain: &Chain,
        service: &ClusterKey,
        now: Instant,
        wall: Timestamp,
    ) -> Arc<Way<S>> {
        self.way_of_rule(policies, chain, None, service, now, wall)
    }

    /// The same where the rule that matched says something about retries itself.
    pub fn way_of_rule(
        &mut self,
        policies: &Policies,
        chain: &Chain,
        stated: Option<&RuleRetry>,
        service: &ClusterKey,
        now: Instant,
        wall: Timestamp,
    ) -> Arc<Way<S>> {
        let here = policies.resolve(chain);
        // What belongs to the service goes by the rules of the service, lest routes say different things to one machine.
        let own = Chain::default().service(&service.namespace, service.service.as_str());
        let own = policies.resolve(&own);
        let mut rules = Ruled::of(&here.enforced, &own.enforced);
        let balance = rules.own.load_balancer.take();
        let tried = (here.dry_run.as_ref(), own.dry_run.as_ref());
        let tried = match tried {
            (None, None) => None,
            (tried, own_tried) => {
                let tried = tried.unwrap_or(&here.enforced);
                let own_tried = own_tried.unwrap_or(&own.enforced);
                let other = Ruled::of(tried, own_tried).different_from(&rules, tried, own_tried);
                Some(other)
            }
        };
        let mut at = At {
            service,
            tried: false,
            stated,
            now,
            wall,
        };
        let enforced = self.rules(rules, &at);
        at.tried = true;
        let tried = tried.filter(Ruled::refuses).map(|tried| {
            let mut tried = self.rules(tried, &at);
            if tried.breaker.is_none() {
                tried.classify = enforced.classify.clone();
            }
            tried
        });
        Arc::new(Way {
            service: service.clone(),
            enforced,
            balance,
            tried,
        })
    }

    fn rules(&mut self, ruled: Ruled<'_>, at: &At<'_>) -> Rules<S> {
        let Ruled { here, own, merged } = ruled;
        let whole = || OfService::whole(at.service, at.tried);
        let mut rules = Rules::none(Arc::new(Source::built_in(&at.service.namespace)));
        rules.off = here.off;
        rules.rate_limit = here.rate_limit.map(|rule| self.limits(rule, merged, at));
        rules.timeouts = here.timeouts.map(|rule| {
            let (known, _) =
                self.timeouts
                    .take(whole(), (), &rule.source, at.now, |()| (), |_, _, _| {});
            known.guard(rule.config, &rule.source)
        });
        if let Some(rule) = own.circuit_breaker {
            rules.classify = Arc::new(rule.config.classify.clone());
            rules.breaker = Some(self.breaker(&rule, at));
            let force = merged.origins.get("circuitBreaker.force");
            rules.ordered_by = force.map(|origin| origin.source.clone());
        }
        rules.adaptive = own.adaptive_concurrency.map(|rule| {
            let (seed, other) = (self.seeds.next(), self.seeds.next());
            let (known, _) = self.adaptives.take(
                whole(),
                rule.config,
                &rule.source,
                at.now,
                |config| Adaptive::new(*config, seed, at.now),
                |adaptive, _, config| adaptive.reconfigure(*config, other),
            );
            known.guard((), &rule.source)
        });
        rules.bulkhead = own.bulkhead.map(|rule| {
            // Nobody waits for what is only tried: there are as many places as may be in it or wait for it.
            let config = match at.tried {
                true => without_queue(rule.config),
                false => rule.config,
            };
            let (known, _) = self.bulkheads.take(
                whole(),
                config,
                &rule.source,
                at.now,
                |config| Bulkhead::new(*config),
                |bulkhead, _, config| bulkhead.reconfigure(*config),
            );
            known.guard((), &rule.source)
        });
        if at.tried {
            // The others refuse nothing.
            return rules;
        }
        rules.outlier = own
            .outlier_detection
            .and_then(|rule| self.outlier(rule, at));
        let retry = match at.stated {
            None => here.retry,
            // A rule that speaks of retries has them, whatever policies say.
            Some(_) => {
                rules.off.retain(|section| *section != Section::Retry);
                here.retry.or_else(|| {
                    Some(Rule {
                        config: RetryRule::default(),
                        source: rules.built_in.clone(),
                    })
                })
            }
        };
        rules.retry = retry.map(|rule| self.retry(rule, merged, at));
        rules.hedging = here.hedging.map(|rule| self.hedging(rule, merged, at));
        rules.fallback = here.fallback.map(|rule| self.fallback(rule, at));
        rules
    }

    fn breaker(&mut self, rule: &Rule<BreakerRule>, at: &At<'_>) -> Guard<Breaker> {
        let seed = self.seeds.next();
        let (known, new) = self.breakers.take(
            OfService::whole(at.service, at.tried),
            rule.config.config.clone(),
            &rule.source,
            at.now,
            |config| Breaker::new(config.clone(), seed, at.now),
            |breaker, _, config| breaker.reconfigure(config.clone(), at.now),
        );
        known
            .obeyed
            .obey(&known.machine, &rule.config, new, at.now, at.wall);
        known.guard((), &rule.source)
    }

    fn outlier(
        &mut self,
        rule: Rule<outlier::Config>,
        at: &At<'_>,
    ) -> Option<Guard<Outlier<S::Endpoint>, outlier::Config>> {
        let key = OfService::whole(at.service, at.tried);
        let config = rule.config.clone();
        // A compiled configuration was checked.
        let made = Outlier::new(config.clone(), at.now).ok()?;
        let interval = config.interval;
        let (known, new) = self.outliers.take(
            key.clone(),
            config,
            &rule.source,
            at.now,
            |_| made,
            |outlier, _, config| {
                let _ = outlier.reconfigure(config.clone());
            },
        );
        let guard = known.guard(rule.config, &rule.source);
        if new {
            self.sweeps.push((key, at.now + interval));
        }
        Some(guard)
    }

    fn limits(&mut self, rule: Rule<Vec<LimitRule>>, merged: &Effective, at: &At<'_>) -> Limits {
        // Counted by the policy that has the rules, whichever one a refusal names.
        let origin = merged.origins.get("rateLimit.rules");
        let counted_by = origin.map_or(&rule.source, |origin| &origin.source).clone();
        let built_in = counted_by.is_built_in();
        let limits = rule.config.into_iter().map(|mut limit| {
            if built_in && limit.scope == RateLimitScope::Shared {
                // Nobody divides what stands in a program.
                limit.scope = RateLimitScope::Local;
            }
            let key = OfRule::new(&counted_by, &limit.name, at.tried);
            // What a program has as its defaults is the program's own.
            let exact = limit.scope == RateLimitScope::Exact && !counted_by.is_built_in();
            let exact = exact.then(|| key.count().into());
            let (name, by) = (limit.name.as_str().into(), limit.key.as_ref());
            let by = by.map(|key| key.by.clone());
            let quota = match limit.limiter {
                Limiter::TokenBucket(quota)
                | Limiter::SlidingWindow(quota)
                | Limiter::LeakyQueue { quota, .. } => quota,
                Limiter::WarmUp(config) => config.quota(),
            };
            // A part that was told before nobody used the machine has gone to others since.
            let unused = |known: &Known<Machine, LimitRule>| !known.in_use();
            let returns = self.limits.get(&key).is_some_and(unused);
            let (known, _) = self.limits.take(
                key,
                limit,
                &rule.source,
                at.now,
                |limit| Machine::new(limit, at.now),
                |machine, old, new| match old.keeps_count_of(new) {
                    true => machine.reconfigure(new, at.now),
                    false => *machine = Arc::new(Machine::new(new, at.now)),
                },
            );
            if let Some(shared) = known.machine.shared().filter(|_| returns) {
                shared.give_back(at.now);
            }
            Limit {
                name,
                key: by,
                quota,
                exact,
                machine: known.machine.clone(),
                tally: known.tally.clone(),
            }
        });
        Limits::new(limits.collect(), rule.source.clone())
    }

    fn retry(&mut self, rule: Rule<RetryRule>, merged: &Effective, at: &At<'_>) -> RetryGuard {
        let key = OfService::by_field(at.service, merged, "retry.budget");
        let budget = budget(&mut self.retries, key, rule.config.budget, &rule.source, at);
        let policy = rule.config.policy;
        RetryGuard {
            policy: at.stated.map_or(policy, |stated| stated.over(policy)),
            budget,
            stated: at.stated.cloned(),
            source: rule.source,
        }
    }

    fn hedging(&mut self, rule: Rule<HedgeRule>, merged: &Effective, at: &At<'_>) -> HedgeGuard {
        let key = OfService::by_field(at.service, merged, "hedging.budget");
        let HedgeRule { config, budget: of } = rule.config;
        let budget = budget(&mut self.hedge_budgets, key, of, &rule.source, at);
        let (known, _) = self.hedges.take(
            OfService::whole(at.service, at.tried),
            (),
            &rule.source,
            at.now,
            |()| Hedge::new(HedgeConfig::after(Duration::ZERO), at.now),
            |_, _, _| {},
        );
        HedgeGuard {
            hedge: Arc::new(known.machine.reconfigured(config)),
            budget,
            source: rule.source,
            _latencies: known.machine.clone(),
        }
    }

    fn fallback(&mut self, rule: Rule<FallbackRule>, at: &At<'_>) -> FallbackGuard<S> {
        let kept = rule.config.kept.and_then(|KeptAnswers { entries, bytes }| {
            // Checked when it was compiled.
            let made = LastGood::new(entries, bytes).ok()?;
            let key = (at.service.clone(), [entries, bytes]);
            let (known, _) = self.answers.take(
                key,
                (),
                &rule.source,
                at.now,
                |()| Mutex::new(made),
                |_, _, _| {},
            );
            Some(known.machine.clone())
        });
        FallbackGuard {
            rule: rule.config,
            kept,
            source: rule.source,
        }
    }

    /// Tells a limit that many hold to what its part is from now on. One that no way uses has none.
    pub fn grant(&mut self, granted: &Granted, now: Instant) {
        let known = self.limits.get(&OfRule::of(&granted.limit));
        if let Some(known) = known.filter(|known| known.in_use())
            && let Some(shared) = known.machine.shared()
        {
            shared.give(granted.part, now);
        }
    }

    /// Measures what limits that many hold to are asked for.
    fn measure(&self, now: Instant) {
        for known in self.limits.all() {
            match known.machine.shared() {
                Some(shared) if known.in_use() => shared.observe(known.tally.came(), now),
                Some(shared) => shared.give_back(now),
                None => {}
            }
        }
    }

    /// Does what time alone does: ends orders and rounds of probes that are over, sweeps for outliers, measures demand, forgets machines
    /// that were not used for [`KEPT`]. Call it about every second. Returns what happened to endpoints.
    pub fn sweep(&mut self, now: Instant) -> Vec<Ejection<S::Endpoint>> {
        for (_, known) in self.breakers.used() {
            // Who looks at the breakers sees it.
            let _ = known.machine.tick(now);
        }
        self.measure(now);
        let mut ejections = Vec::new();
        let outliers = &self.outliers;
        self.sweeps.retain_mut(|(key, due)| {
            let Some(known) = outliers.get(key) else {
                return false;
            };
            if now >= *due {
                let events = known.machine.sweep(now).into_iter();
                ejections.extend(events.map(|event| (key.service.clone(), event)));
                *due = now + known.config.interval;
            }
            true
        });
        self.breakers.sweep(KEPT, MOST, now);
        self.outliers.sweep(KEPT, MOST, now);
        self.bulkheads.sweep(KEPT, MOST, now);
        self.adaptives.sweep(KEPT, MOST, now);
        self.timeouts.sweep(KEPT, MOST, now);
        self.retries.sweep(KEPT, MOST, now);
        self.hedges.sweep(KEPT, MOST, now);
        self.hedge_budgets.sweep(KEPT, MOST, now);
        self.answers.sweep(KEPT, MOST, now);
        self.limits.sweep(KEPT, MOST, now);
        ejections
    }

    /// How many machines there are, those included that are kept for their rule's return.
    pub fn len(&self) -> usize {
        self.breakers.len()
            + self.outliers.len()
            + self.bulkheads.len()
            + self.adaptives.len()
            + self.timeouts.len()
            + self.retries.len()
            + self.hedges.len()
            + self.hedge_budgets.len()
            + self.answers.len()
            + self.limits.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S: Shell> fmt::Debug for Guards<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guards")
            .field("machines", &self.len())
            .finish_non_exhaustive()
    }
}

/// For whom a machine is taken, and when.
struct At<'a> {
    service: &'a ClusterKey,
    tried: bool,
    stated: Option<&'a RuleRetry>,
    now: Instant,
    wall: Timestamp,
}

fn budget(
    shelf: &mut Shelf<OfService, Budget, BudgetConfig>,
    key: OfService,
    config: BudgetConfig,
    source: &Arc<Source>,
    at: &At<'_>,
) -> Arc<Budget> {
    let (known, _) = shelf.take(
        key,
        config,
        source,
        at.now,
        |config| Budget::new(*config, at.now),
        |budget, _, config| budget.reconfigure(*config),
    );
    known.machine.clone()
}

fn without_queue(config: BulkheadConfig) -> BulkheadConfig {
    let places = config.max_concurrent().saturating_add(config.max_queued());
    BulkheadConfig::new(places).unwrap_or(config)
}

/// A seed for each machine, all of one (SplitMix64).
struct Seeds(u64);

impl Seeds {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
