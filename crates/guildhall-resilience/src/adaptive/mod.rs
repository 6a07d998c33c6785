//! Adaptive concurrency limits: how many requests at once a service bears, found out while it is used.
//!
//! By Little's law a service has concurrency = rate × latency; above what it bears, requests only queue, and latency
//! tells. An [`Adaptive`] limits the requests under way, watches how long they take, and moves the limit once a window
//! by one of three algorithms, after Netflix's concurrency-limits (Landau, Thurston, Bozarth, "Performance Under Load",
//! 2018), whose defaults these are where nothing else is said:
//!
//! | | looks at | moves |
//! |---|---|---|
//! | [`Gradient`] | latency now against its long average | in proportion; the usual choice |
//! | [`Vegas`] | latency now against the least seen | by about log10 of the limit; needs a steady least latency |
//! | [`Aimd`] | overload and a latency that is too long | up by one, down by a tenth; for known latency goals |
//!
//! Differences from there, with reasons: the limit moves once a *window* for all three (100 ms, at least 10 requests:
//! one odd request moves nothing); a failure gives no latency (a fast refusal is no sign of a fast service), and a window
//! counts as overloaded when a tenth of its requests failed, where Netflix takes any, which at a thousand requests a
//! second is always; then the gradient moves, too; the gradient's tolerance is 1 (see [`Gradient::tolerance`]), its
//! headroom grows with the limit and its average does not learn the queue that it makes (see its source); and whichever
//! it is, a limit that collapsed under failures comes back by TCP's slow start, up to half of what it was.
//!
//! # What an edit keeps
//!
//! | field | kept | changed |
//! |---|---|---|
//! | `min`, `max` | the limit within them, requests under way | where it may go |
//! | `algorithm`, same kind | the limit, averages | its parameters |
//! | `algorithm`, other kind | the limit | it begins to learn |
//! | `window`, `min_samples`, `overload_share` | everything | when windows close |

mod aimd;
mod config;
mod estimator;
mod gradient;
mod limit;
mod permit;
mod slow_start;
mod vegas;
mod window;

pub use aimd::Aimd;
pub use config::{AdaptiveConfig, Algorithm};
pub use gradient::Gradient;
pub use limit::{Adaptive, AdaptiveStats};
pub use permit::{AtLimit, Permit};
pub use vegas::Vegas;
pub use window::Sample;
