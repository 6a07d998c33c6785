//! Who stands out in an interval: Envoy's success rate and failure percentage, as formulas over plain figures.

use super::config::Config;
use super::detector::Reason;

/// One endpoint's interval.
#[derive(Clone, Debug)]
pub(super) struct Rate<K> {
    pub(super) key: K,
    pub(super) requests: u32,
    pub(super) failures: u32,
}

impl<K> Rate<K> {
    fn failed(&self) -> f64 {
        f64::from(self.failures) / f64::from(self.requests)
    }
}

/// Those that stand out, the worst first, so that the limit on ejections spares the better ones.
pub(super) fn outliers<K>(config: &Config, mut rates: Vec<Rate<K>>) -> Vec<(K, Reason)> {
    rates.retain(|rate| rate.requests > 0);
    rates.sort_by(|a, b| b.failed().total_cmp(&a.failed()));
    let at_least = least_success_rate(config, &rates);
    let most = most_failures(config, &rates);
    let verdict = |rate: &Rate<K>| {
        let success = 1.0 - rate.failed();
        if let Some((volume, at_least)) = at_least
            && rate.requests >= volume
            && success < at_least
        {
            return Some(Reason::SuccessRate {
                rate: success,
                at_least,
            });
        }
        let (volume, share) = most?;
        let reached = rate.requests >= volume && rate.failed() >= share;
        reached.then(|| Reason::FailurePercentage {
            share: rate.failed(),
        })
    };
    rates
        .into_iter()
        .filter_map(|rate| verdict(&rate).map(|reason| (rate.key, reason)))
        .collect()
}

/// The volume and the success rate that is `deviations` standard deviations below the mean of those that have it.
fn least_success_rate<K>(config: &Config, rates: &[Rate<K>]) -> Option<(u32, f64)> {
    let rule = config.success_rate?;
    let rates: Vec<f64> = rates
        .iter()
        .filter(|rate| rate.requests >= rule.volume)
        .map(|rate| 1.0 - rate.failed())
        .collect();
    if rates.is_empty() || rates.len() < rule.minimum_hosts as usize {
        return None;
    }
    let count = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / count;
    let variance = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / count;
    Some((rule.volume, mean - rule.deviations * variance.sqrt()))
}

fn most_failures<K>(config: &Config, rates: &[Rate<K>]) -> Option<(u32, f64)> {
    let rule = config.failure_percentage?;
    let hosts = rates
        .iter()
        .filter(|rate| rate.requests >= rule.volume)
        .count();
    (hosts >= rule.minimum_hosts as usize).then_some((rule.volume, rule.share))
}
