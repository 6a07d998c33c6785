//! One measured window: load to warm up, then load that counts, between two readings of what the server used. And what
//! several windows say together: the median of each figure.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::http::Reply;
use crate::load::{self, Plan};
use crate::rounds::median;
use crate::server::Server;
use crate::usage;

/// Load before every window, so that pools are full and code is warm.
pub(crate) const WARM_UP: Duration = Duration::from_secs(1);

/// The figures of one window, or the medians of several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Operations a second.
    pub(crate) rate: f64,
    /// The server's CPU microseconds per operation.
    pub(crate) cpu_us: f64,
    /// The server's CPU time by wall time.
    pub(crate) busy: f64,
    /// The load's CPU time by wall time.
    pub(crate) load: f64,
    /// Bytes that the server gave to the block layer, per operation.
    pub(crate) bytes: f64,
    /// The median latency in microseconds.
    pub(crate) p50_us: f64,
    /// The 99th percentile.
    pub(crate) p99_us: f64,
}

/// Runs the plan's load on a server for a second, then for the plan's duration, and gives the figures of the latter. The
/// requests' numbers go on from the one to the other. Any answer that is not wanted makes the window void.
pub(crate) fn measure(
    server: &Server,
    plan: Plan,
    request: impl Fn(u64, &mut Vec<u8>) + Send + Sync + 'static,
    wanted: impl Fn(&Reply<'_>) -> bool + Send + Copy + 'static,
) -> Result<Sample> {
    let request = Arc::new(request);
    let load = |duration: Duration, first: u64| {
        let request = Arc::clone(&request);
        let numbered = move |number: u64, bytes: &mut Vec<u8>| request(first + number, bytes);
        let outcome = load::run(Plan { duration, ..plan }, numbered, wanted)?;
        let (done, failed) = (outcome.done, outcome.failed);
        ensure!(
            failed == 0,
            "{failed} of {} answers were not wanted",
            done + failed
        );
        Ok(outcome)
    };
    let warm = load(WARM_UP, 0)?;
    let (before, load_before) = (server.usage()?, usage::own()?);
    let outcome = load(plan.duration, warm.done * plan.steps)?;
    let used = server.usage()?.since(before);
    let load = usage::own()?.saturating_sub(load_before);
    let operations = outcome.done as f64;
    Ok(Sample {
        rate: operations / outcome.elapsed.as_secs_f64(),
        cpu_us: used.cpu.as_secs_f64() * 1e6 / operations,
        busy: used.cpu.as_secs_f64() / outcome.elapsed.as_secs_f64(),
        load: load.as_secs_f64() / outcome.elapsed.as_secs_f64(),
        bytes: used.written as f64 / operations,
        p50_us: outcome.latency.value_at_quantile(0.5) as f64,
        p99_us: outcome.latency.value_at_quantile(0.99) as f64,
    })
}

/// What a peer's windows came to: the median of each figure, or why there is none.
pub(crate) struct Verdict {
    /// The peer.
    pub(crate) name: String,
    /// Its medians.
    pub(crate) medians: Result<Sample>,
}

impl Verdict {
    /// Of a peer's windows.
    pub(crate) fn new(name: &str, samples: Result<Vec<Sample>>) -> Self {
        Self {
            name: name.to_owned(),
            medians: samples.map(|samples| medians(&samples)),
        }
    }

    /// A table's row: the name, then these figures; or what went wrong.
    pub(crate) fn row(&self, figures: impl Fn(&Sample) -> Vec<String>) -> Vec<String> {
        let mut row = vec![self.name.clone()];
        match &self.medians {
            Ok(sample) => row.extend(figures(sample)),
            Err(error) => row.push(format!("failed: {error:#}")),
        }
        row
    }
}

/// One figure of the peer of this name; NaN where it was not measured.
pub(crate) fn figure(verdicts: &[Verdict], name: &str, figure: fn(&Sample) -> f64) -> f64 {
    let found = verdicts.iter().find(|verdict| verdict.name == name);
    let sample = found.and_then(|verdict| verdict.medians.as_ref().ok());
    sample.map_or(f64::NAN, figure)
}

fn medians(samples: &[Sample]) -> Sample {
    let of = |figure: fn(&Sample) -> f64| median(samples.iter().map(figure));
    Sample {
        rate: of(|sample| sample.rate),
        cpu_us: of(|sample| sample.cpu_us),
        busy: of(|sample| sample.busy),
        load: of(|sample| sample.load),
        bytes: of(|sample| sample.bytes),
        p50_us: of(|sample| sample.p50_us),
        p99_us: of(|sample| sample.p99_us),
    }
}
