//! What is counted in a run, in bins of a tenth of a second, and the figures that are made of it.

use std::ops::Range;

use guildhall_resilience::shed::Criticality;

use crate::strategy::Log;
use crate::time::{MILLISECOND, Nanos, SECOND};

/// The width of a bin.
const BIN: Nanos = 100 * MILLISECOND;
const BINS_PER_SECOND: usize = (SECOND / BIN) as usize;

/// How a request ended. Each one ends once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answered in time.
    Good,
    /// Refused before anything of it was sent.
    Refused,
    /// Failed after something of it was sent.
    Failed,
    /// The caller went away.
    Left,
}

/// A tenth of a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Bin {
    /// Requests that arrived.
    pub(crate) offered: u64,
    pub(crate) good: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) left: u64,
    /// Attempts that were sent, first ones and others.
    pub(crate) sent: u64,
    /// Attempts that were their request's first.
    pub(crate) first: u64,
    /// How long the good answers took.
    latencies: Vec<Nanos>,
    /// By rank of criticality: arrived, and answered in time.
    classes: [(u64, u64); 4],
}

/// Everything that was counted in a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    bins: Vec<Bin>,
    pub(crate) log: Log,
    /// The limit at each tick, where there is one.
    pub(crate) limits: Vec<u32>,
}

/// The figures of a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) offered: u64,
    pub(crate) good: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) left: u64,
    pub(crate) sent: u64,
    pub(crate) first: u64,
    /// Of good answers; `None` without any.
    pub(crate) p50: Option<Nanos>,
    pub(crate) p99: Option<Nanos>,
    pub(crate) classes: [(u64, u64); 4],
}

impl Figures {
    /// Attempts for each request of which anything was sent; `None` if nothing was.
    pub(crate) fn amplification(&self) -> Option<f64> {
        (self.first > 0).then(|| self.sent as f64 / self.first as f64)
    }

    /// The share of a class that was answered in time.
    pub(crate) fn answered(&self, class: Criticality) -> f64 {
        let (offered, good) = self.classes[class as usize];
        good as f64 / offered.max(1) as f64
    }
}

impl Record {
    fn bin(&mut self, at: Nanos) -> &mut Bin {
        let at = (at / BIN) as usize;
        if self.bins.len() <= at {
            self.bins.resize(at + 1, Bin::default());
        }
        &mut self.bins[at]
    }

    pub(crate) fn arrived(&mut self, class: Criticality, now: Nanos) {
        let bin = self.bin(now);
        bin.offered += 1;
        bin.classes[class as usize].0 += 1;
    }

    pub(crate) fn sent(&mut self, is_first: bool, now: Nanos) {
        let bin = self.bin(now);
        bin.sent += 1;
        bin.first += u64::from(is_first);
    }

    pub(crate) fn ended(
        &mut self,
        verdict: Verdict,
        class: Criticality,
        arrived: Nanos,
        now: Nanos,
    ) {
        let bin = self.bin(now);
        match verdict {
            Verdict::Good => {
                bin.good += 1;
                bin.latencies.push(now - arrived);
                bin.classes[class as usize].1 += 1;
            }
            Verdict::Refused => bin.refused += 1,
            Verdict::Failed => bin.failed += 1,
            Verdict::Left => bin.left += 1,
        }
    }

    /// The figures of a stretch, which begins and ends with a bin.
    pub(crate) fn figures(&self, window: &Range<Nanos>) -> Figures {
        let end = ((window.end / BIN) as usize).min(self.bins.len());
        let start = ((window.start / BIN) as usize).min(end);
        self.sum(&self.bins[start..end])
    }

    /// The figures of everything.
    #[cfg(test)]
    pub(crate) fn totals(&self) -> Figures {
        self.sum(&self.bins)
    }

    /// The figures of each second.
    pub(crate) fn by_second(&self) -> Vec<Figures> {
        let seconds = self.bins.chunks(BINS_PER_SECOND);
        seconds.map(|bins| self.sum(bins)).collect()
    }

    fn sum(&self, bins: &[Bin]) -> Figures {
        let total = |of: fn(&Bin) -> u64| bins.iter().map(of).sum();
        let mut latencies: Vec<Nanos> = bins
            .iter()
            .flat_map(|bin| &bin.latencies)
            .copied()
            .collect();
        latencies.sort_unstable();
        let quantile = |share: f64| {
            let rank = (latencies.len() as f64 * share).ceil() as usize;
            latencies.get(rank.saturating_sub(1)).copied()
        };
        let mut classes = [(0, 0); 4];
        for bin in bins {
            for (sum, (offered, good)) in classes.iter_mut().zip(bin.classes) {
                *sum = (sum.0 + offered, sum.1 + good);
            }
        }
        Figures {
            offered: total(|bin| bin.offered),
            good: total(|bin| bin.good),
            refused: total(|bin| bin.refused),
            failed: total(|bin| bin.failed),
            left: total(|bin| bin.left),
            sent: total(|bin| bin.sent),
            first: total(|bin| bin.first),
            p50: quantile(0.5),
            p99: quantile(0.99),
            classes,
        }
    }

    /// How long after `since` a second began in which nine of ten requests that arrived were answered in time; `None` if
    /// that never came.
    pub(crate) fn recovery(&self, since: Nanos, ends: Nanos) -> Option<Nanos> {
        let (from, to) = ((since / BIN) as usize, (ends / BIN) as usize);
        let bins = self.bins.get(from..to.min(self.bins.len()))?;
        let well = |bins: &[Bin]| {
            let sum = |of: fn(&Bin) -> u64| bins.iter().map(of).sum::<u64>();
            sum(|bin| bin.good) * 10 >= sum(|bin| bin.offered) * 9
        };
        let at = bins.windows(BINS_PER_SECOND).position(well)?;
        Some(at as Nanos * BIN)
    }

    /// Mean latency of good answers, in nanoseconds.
    #[cfg(test)]
    pub(crate) fn mean_latency(&self, window: Range<Nanos>) -> f64 {
        let bins = &self.bins[(window.start / BIN) as usize..(window.end / BIN) as usize];
        let all: Vec<f64> = bins
            .iter()
            .flat_map(|bin| &bin.latencies)
            .map(|ns| *ns as f64)
            .collect();
        all.iter().sum::<f64>() / all.len() as f64
    }
}
