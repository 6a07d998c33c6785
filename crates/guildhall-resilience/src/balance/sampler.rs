//! Draws endpoints in proportion to their weights.

use fastrand::Rng;

/// Places of endpoints with their weights, ready to be drawn from.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampler {
    places: Box<[u32]>,
    /// The sum of the weights up to and with each place; empty if all weigh the same, which is
    /// the usual case and saves the search.
    sums: Box<[u64]>,
}

impl Sampler {
    /// Of `endpoints`, (place, weight) each, those with a weight.
    pub(super) fn new(endpoints: impl Iterator<Item = (u32, u32)>) -> Self {
        let (places, weights): (Vec<u32>, Vec<u32>) =
            endpoints.filter(|(_, weight)| *weight > 0).unzip();
        let same = weights.iter().all(|weight| *weight == weights[0]);
        let mut sum = 0;
        let running = weights.iter().map(|weight| {
            sum += u64::from(*weight);
            sum
        });
        let sums = if same {
            Box::default()
        } else {
            running.collect()
        };
        Self {
            places: places.into(),
            sums,
        }
    }

    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    /// One of the places; there must be some.
    pub(super) fn draw(&self, random: &mut Rng) -> usize {
        let at = match self.sums.last() {
            None => random.usize(..self.places.len()),
            Some(total) => {
                let share = random.u64(..*total);
                self.sums.partition_point(|sum| *sum <= share)
            }
        };
        self.places[at] as usize
    }
}
