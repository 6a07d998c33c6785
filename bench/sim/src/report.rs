//! The report in Markdown: bars first, then each scenario, then what was modelled and how to repeat it.

use std::fmt::Write;

use guildhall_resilience::shed::Criticality;

use crate::bars::bars;
use crate::curves;
use crate::measure::Record;
use crate::scenario::{FOLLOWED, Scenario};
use crate::suite::{Caller, OUTAGES, Played, SEEDS, SITE, Suite, recovery};
use crate::time::{MILLISECOND, Nanos, seconds};

/// The whole report; plots are named by their place below `plots/`.
pub(crate) fn report(suite: &Suite) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut text, suite);
    text
}

fn write_all(text: &mut String, suite: &Suite) -> std::fmt::Result {
    writeln!(
        text,
        "# Resilience, simulated\n\n\
         What callers do to a service that fails, slows down, flaps or has too much to do. Written by\n\
         `cargo xtask bench resilience-sim --seed {seed}`; the same seed gives the same bytes. Virtual time, one thread,\n\
         no figure of this machine in it: the model is in `bench/sim`.\n",
        seed = suite.seed
    )?;
    writeln!(text, "## Bars\n")?;
    writeln!(
        text,
        "Ours, over {SEEDS} seeds ({}–{}): the worst counts. Recovery is to take at most two open periods, by which *the one in\n\
         force when the backend recovers* is meant: the breaker's open time that runs then, or the first one (5 s) where none\n\
         runs. While probes fail, that time doubles, from 5 s to 60 s, so that a service is asked again at the latest when it\n\
         has been away twice as long. The last row tells the same recoveries in first periods. No bar is set for it: it can\n\
         be over two where an outage ends in an open time of more than 10 s; [design/resilience.md](design/resilience.md) says\n\
         what that buys.\n",
        suite.seed,
        suite.seed + SEEDS - 1
    )?;
    writeln!(
        text,
        "| what | bar | worst | median | best | |\n|---|---|---:|---:|---:|---|"
    )?;
    for bar in bars(&suite.held) {
        let verdict = match bar.holds {
            Some(true) => "pass",
            Some(false) => "**FAIL**",
            None => "no bar",
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {verdict} |",
            bar.what, bar.bar, bar.worst, bar.median, bar.best
        )?;
    }
    writeln!(text, "\n## By load\n\n{}", curves::image("goodput"))?;
    writeln!(text, "{}", curves::image("latency"))?;
    by_load(text, suite)?;
    writeln!(
        text,
        "\n## By the length of an outage\n\n{}",
        curves::image("recovery")
    )?;
    by_outage(text, suite)?;
    writeln!(text, "\n## Scenarios\n\n{LEGEND}")?;
    for played in &suite.played {
        section(text, played)?;
    }
    writeln!(text, "\n## The model\n\n{}", model())
}

fn by_load(text: &mut String, suite: &Suite) -> std::fmt::Result {
    header(
        text,
        "goodput by capacity (p99 of good answers) at a load of",
    )?;
    for (load, figures) in &suite.loads {
        write!(text, "| {load} ")?;
        for (goodput, p99) in figures {
            write!(text, "| {:.1} % ({}) ", goodput * 100.0, milliseconds(*p99))?;
        }
        writeln!(text, "|")?;
    }
    Ok(())
}

fn by_outage(text: &mut String, suite: &Suite) -> std::fmt::Result {
    writeln!(
        text,
        "All endpoints answer 503 for so long; then the time until nine of ten requests are answered again, the longest\n\
         of {SEEDS} seeds.\n"
    )?;
    header(text, "outage")?;
    for (outage, longest) in &suite.outages {
        write!(text, "| {outage} s ")?;
        for took in longest {
            write!(text, "| {} ", in_seconds(*took))?;
        }
        writeln!(text, "|")?;
    }
    Ok(())
}

fn header(text: &mut String, first: &str) -> std::fmt::Result {
    write!(text, "| {first} ")?;
    for caller in Caller::ALL {
        write!(text, "| {} ", caller.name())?;
    }
    writeln!(text, "|\n|---{}|", "|---:".repeat(Caller::ALL.len()))
}

const LEGEND: &str = "\
*Answered*: good answers, of requests offered in the measured time. *Goodput*: good answers, of what could have been
served (offered load or capacity at that moment, whichever is less). *Amplification*: attempts sent, for each request of
which any was. *Sent*: attempts. *Opens* and *ejects*: how long after the trouble began the breaker opened, or an endpoint
was taken out. *Recovers*: how long after the trouble ended a second began in which nine of ten requests were answered.
";

/// One scenario's table and plot.
pub(crate) fn section(text: &mut String, played: &Played) -> std::fmt::Result {
    let scenario = &played.scenario;
    let window = &scenario.window;
    writeln!(
        text,
        "### {}\n\n{}. Measured from {:.0} s to {:.0} s.\n\n{}",
        scenario.name,
        scenario.what,
        seconds(window.start),
        seconds(window.end),
        curves::image(scenario.name)
    )?;
    writeln!(
        text,
        "| | answered | goodput | p50 | p99 | amplification | sent | opens | ejects | recovers |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    )?;
    for (caller, record) in Caller::ALL.iter().zip(&played.records) {
        row(text, *caller, record, scenario)?;
    }
    writeln!(text)?;
    if scenario.name == "overload"
        && let Some(ours) = played.records.first()
    {
        classes(text, ours, scenario)?;
    }
    Ok(())
}

fn row(
    text: &mut String,
    caller: Caller,
    record: &Record,
    scenario: &Scenario,
) -> std::fmt::Result {
    let figures = record.figures(&scenario.window);
    let answered = figures.good as f64 * 100.0 / figures.offered.max(1) as f64;
    let could = servable(scenario);
    let goodput = if could > 0.0 {
        format!("{:.1} %", figures.good as f64 * 100.0 / could)
    } else {
        "–".to_owned()
    };
    let amplification = figures
        .amplification()
        .map_or("–".to_owned(), |times| format!("{times:.3}"));
    let began = scenario.trouble.as_ref().map(|trouble| trouble.start);
    let after = |first: Option<Nanos>| match began.zip(first) {
        None => "–".to_owned(),
        Some((began, at)) => in_seconds(Some(at.saturating_sub(began))),
    };
    let since = began.unwrap_or(0);
    let opens = record
        .log
        .openings
        .iter()
        .map(|opening| opening.at)
        .find(|at| *at >= since);
    let ejects = record.log.ejections.iter().copied().find(|at| *at >= since);
    let recovers = match scenario.trouble {
        None => "–".to_owned(),
        Some(_) => in_seconds(recovery(record, scenario)),
    };
    writeln!(
        text,
        "| {} | {answered:.1} % | {goodput} | {} | {} | {amplification} | {} | {} | {} | {recovers} |",
        caller.name(),
        milliseconds(figures.p50),
        milliseconds(figures.p99),
        figures.sent,
        after(opens),
        after(ejects),
    )
}

/// What of the requests offered in the window could have been served, expected.
fn servable(scenario: &Scenario) -> f64 {
    let step = 100 * MILLISECOND;
    let steps = (scenario.window.start..scenario.window.end).step_by(step as usize);
    let shares = steps.map(|at| {
        let capacity = scenario.capacity_at(SITE.endpoints, at);
        capacity.min(scenario.load_at(at))
    });
    shares.sum::<f64>() * SITE.capacity() * step as f64 / 1e9
}

fn classes(text: &mut String, ours: &Record, scenario: &Scenario) -> std::fmt::Result {
    let figures = ours.figures(&scenario.window);
    let answered = Criticality::ALL.iter().rev().map(|class| {
        let share = figures.answered(*class) * 100.0;
        format!("{share:.0} % of what is {}", class.name())
    });
    let answered: Vec<String> = answered.collect();
    writeln!(
        text,
        "Ours alone tells requests apart by how much they matter: it answered {}.\n",
        answered.join(", ")
    )
}

fn milliseconds(time: Option<Nanos>) -> String {
    time.map_or("–".to_owned(), |time| {
        format!("{:.0} ms", time as f64 / MILLISECOND as f64)
    })
}

fn in_seconds(time: Option<Nanos>) -> String {
    time.map_or("never".to_owned(), |time| match seconds(time) {
        short if short < 1.0 => format!("{short:.2} s"),
        long => format!("{long:.1} s"),
    })
}

fn model() -> String {
    let longest = OUTAGES.iter().max().copied().unwrap_or_default();
    format!(
        "\
- One caller (a gateway, an SDK) before {endpoints} endpoints of {workers} workers each; service times are exponential,
  {service} ms on average, so that the capacity is {capacity:.0} requests a second, {at_once} at once. A further {backlog} wait at each
  endpoint. Arrivals are Poisson, the same for every caller; connections and networks take no time.
- A caller's caller waits {patience} s and goes away; what is answered later is no good answer. **Endpoints do not notice**: what
  was given up is served all the same. A failing endpoint answers 503 after 1 ms.
- Of requests, 10 % are critical-plus, 70 % critical, 10 % sheddable-plus and 10 % sheddable; all may be sent twice.
- **Guildhall**: the state machines of guildhall-resilience as they ship, in the order of
  [design/resilience.md](design/resilience.md), every setting at its default. Attempts have 500 ms, which has no default.
- **Naive retry**: three attempts, at once after each other, 500 ms each; endpoints take turns. No budget, no breaker.
- **Envoy**, by its [v3 API reference](https://www.envoyproxy.io/docs/envoy/latest/api-v3/api): `retry_on: 5xx` (there is none by default) with
  `num_retries` 1, back-off from 25 ms, no `per_try_timeout`, `timeout` 15 s
  ([RetryPolicy](https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto)); `max_requests` 1024, `max_retries` 3
  ([CircuitBreakers](https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/circuit_breaker.proto)); `outlier_detection: {{}}`, which is
  `consecutive_5xx` 5, `interval` 10 s, `base_ejection_time` 30 s, `max_ejection_percent` 10
  ([OutlierDetection](https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/outlier_detection.proto)); round robin, panic below 50 %.
  Checked against the protos of envoyproxy/envoy, the gradient's sources against `gradient_controller.cc`.
- **resilience4j**, by its documentation ([CircuitBreaker](https://resilience4j.readme.io/docs/circuitbreaker),
  [Retry](https://resilience4j.readme.io/docs/retry), [TimeLimiter](https://resilience4j.readme.io/docs/timeout)): Retry ( CircuitBreaker (
  TimeLimiter ( call ) ) ); 3 attempts 500 ms apart, every exception retried; the last 100 calls, at least 100 of them, half
  failed, open for 60 s, then 10 probes; 1 s for a call. Without Bulkhead and RateLimiter: their defaults (25 at once, 50 in
  500 ns) say nothing about this service. Checked against `CircuitBreakerConfig`, `RetryConfig` and `TimeLimiterConfig`.
- Not modelled: many callers at once (each has a limit of its own, and least request sees only its own), latency of the
  network, connection pools, health checks, and services that stop serving what was given up. Every run goes on
  for {FOLLOWED} s after its trouble (the longest outage is {longest} s), which is what \"never\" means.",
        endpoints = SITE.endpoints,
        workers = SITE.workers,
        service = SITE.service / MILLISECOND,
        capacity = SITE.capacity(),
        at_once = SITE.endpoints * SITE.workers,
        backlog = SITE.backlog,
        patience = seconds(SITE.patience),
    )
}
