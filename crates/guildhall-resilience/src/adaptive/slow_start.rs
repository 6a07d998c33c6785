//! The way back after a collapse: TCP's slow start.
//!
//! When requests fail, every algorithm takes the limit down, window by window: it cannot tell a service that fails from
//! one that is overloaded. Once they succeed again, a limit that rises by a few a window keeps a healthy service down for
//! seconds. So, as TCP does (RFC 5681, 3.1): the half of what a limit was before it collapsed is remembered, and up to
//! there it doubles with every window that shows no queue. Above it the algorithm goes on alone.

use super::Sample;

/// Where doubling ends.
#[derive(Debug, Default)]
pub(super) struct SlowStart {
    threshold: f64,
    collapsing: bool,
}

impl SlowStart {
    /// What becomes of the algorithm's step from `limit` to `next`.
    pub(super) fn after(&mut self, limit: f64, next: f64, sample: &Sample) -> f64 {
        if sample.overloaded {
            if !self.collapsing {
                self.threshold = limit / 2.0;
            }
            self.collapsing = true;
            return next;
        }
        self.collapsing = false;
        let in_use = f64::from(sample.in_flight) >= limit / 2.0;
        // The algorithm sees a queue, or nobody was held back.
        if next < limit || !in_use || limit >= self.threshold {
            return next;
        }
        next.max((limit * 2.0).min(self.threshold))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn sample(in_flight: u32, overloaded: bool) -> Sample {
        Sample {
            latency: None,
            successes: 0,
            in_flight,
            overloaded,
        }
    }

    #[test]
    fn it_doubles_up_to_half_of_what_was() {
        let mut slow_start = SlowStart::default();
        let mut limit = 100.0;
        while limit > 10.0 {
            limit = slow_start.after(limit, limit * 0.9, &sample(100, true));
        }
        limit = 10.0;
        let mut limits = Vec::new();
        for _ in 0..5 {
            limit = slow_start.after(limit, limit + 1.0, &sample(100, false));
            limits.push(limit);
        }
        assert_eq!(limits, [20.0, 40.0, 50.0, 51.0, 52.0]);
    }

    #[test]
    fn not_while_there_is_a_queue_or_nobody_was_held_back() {
        let mut slow_start = SlowStart::default();
        slow_start.after(100.0, 90.0, &sample(100, true));
        let queues = slow_start.after(20.0, 19.0, &sample(20, false));
        let idle = slow_start.after(20.0, 20.0, &sample(9, false));
        let grows = slow_start.after(20.0, 21.0, &sample(10, false));
        assert_eq!((queues, idle, grows), (19.0, 20.0, 40.0));
    }

    #[test]
    fn a_collapse_on_the_way_back_halves_what_was_reached() {
        let mut slow_start = SlowStart::default();
        slow_start.after(100.0, 90.0, &sample(100, true));
        slow_start.after(20.0, 21.0, &sample(20, false));
        slow_start.after(30.0, 27.0, &sample(30, true));
        assert_eq!(slow_start.after(10.0, 11.0, &sample(10, false)), 15.0);
    }
}
