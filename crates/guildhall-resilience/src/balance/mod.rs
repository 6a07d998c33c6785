//! Which of several endpoints takes the next request.
//!
//! A balancer holds what changes with the set of endpoints (weights, preference); what changes
//! with every request (load, which endpoints were tried) is the caller's and comes in by closure,
//! so that a balancer can be rebuilt at any time without losing a count.
//!
//! | | chooses by | pick | use it |
//! |---|---|---|---|
//! | [`P2c`] | the less busy of two draws | O(1) | nearly always |
//! | [`P2c`] over [`PeakEwma`] | the same, latency × requests in flight | O(1) | endpoints differ in speed |
//! | [`RoundRobin`] | smooth weighted turns | O(1) | requests cost alike, load cannot be known |
//! | [`Random`] | weight | O(1) | as a baseline |
//! | [`RingHash`] | the request's hash | O(log n) | affinity, with bounded loads |
//! | [`Maglev`] | the request's hash | O(1) | affinity, evenly |
//!
//! [`Balancer`] is any of them, by [`Algorithm`]. Around them: [`SlowStart`] grows the weight of what has just come
//! up, [`Zoned`] keeps requests near, [`PanicThreshold`] disregards health when too few are healthy.

mod balancer;
mod ewma;
mod hash;
mod maglev;
mod p2c;
mod panic;
mod random;
mod ring;
mod round_robin;
mod sampler;
mod slow_start;
mod zone;

pub use balancer::{Algorithm, Balancer, Candidate};
pub use ewma::{PeakEwma, PeakEwmaConfig};
pub use hash::xxh64;
pub use maglev::{Maglev, MaglevSize};
pub use p2c::P2c;
pub use panic::PanicThreshold;
pub use random::Random;
pub use ring::{RingConfig, RingHash};
pub use round_robin::RoundRobin;
pub use slow_start::SlowStart;
pub use zone::{ZonePreference, Zoned};
