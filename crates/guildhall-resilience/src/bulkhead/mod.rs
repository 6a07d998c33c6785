//! Bulkheads: how many requests at once, so that one slow service cannot take every thread and connection.
//!
//! A [`Bulkhead`] is a semaphore with a bounded queue, first in, first out. It does not wait for anybody: whoever finds
//! no place gets a [`Ticket`] and leaves something to be woken with, and a place that becomes free is handed to the
//! first in the queue, never to somebody who came later. A waiter whose deadline is over is never admitted, and whoever
//! gives up (drops the ticket) gives the place on, even if it has just been handed one.
//!
//! After resilience4j's `SemaphoreBulkhead` and Envoy's circuit breaking thresholds (`max_requests`,
//! `max_pending_requests`), which neither queue in order nor know deadlines.
//!
//! # What an edit keeps
//!
//! | field | kept | changed |
//! |---|---|---|
//! | `max_concurrent` | every request under way and every waiter | more: waiters are admitted at once; fewer: as requests end |
//! | `max_queued` | every waiter | who else may wait |
//! | `max_wait` | every waiter with its own deadline | how long later ones wait |

mod config;
mod permit;
mod queue;
mod refusal;
mod semaphore;

pub use config::BulkheadConfig;
pub use permit::{Entry, Permit, Progress, Ticket, Wakeup};
pub use refusal::{Reason, Refusal};
pub use semaphore::{Bulkhead, BulkheadStats};
