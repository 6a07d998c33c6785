//! Bulkheads against a list of who is in and who waits.

mod model;
mod promises;
mod table;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use guildhall_resilience::bulkhead::{Bulkhead, BulkheadConfig, Entry, Permit, Ticket, Wakeup};

/// Writes down who was woken.
#[derive(Clone, Debug)]
struct Bell(Rc<RefCell<Vec<u32>>>, u32);

impl Wakeup for Bell {
    fn wake(self) {
        self.0.borrow_mut().push(self.1);
    }
}

type Place<'a> = Permit<&'a Bulkhead<Bell>, Bell>;
type Waiter<'a> = Ticket<&'a Bulkhead<Bell>, Bell>;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[expect(clippy::disallowed_methods, reason = "tests begin at any time")]
fn start() -> Instant {
    Instant::now()
}

fn config(max_concurrent: u32, max_queued: u32) -> BulkheadConfig {
    let config = BulkheadConfig::new(max_concurrent).unwrap();
    match max_queued {
        0 => config,
        max_queued => config.with_queue(max_queued, ms(1_000)).unwrap(),
    }
}

fn admitted<'a>(entry: Entry<&'a Bulkhead<Bell>, Bell>) -> Place<'a> {
    match entry {
        Entry::Admitted(permit) => permit,
        Entry::Queued(_) => panic!("it waits"),
    }
}

fn queued<'a>(entry: Entry<&'a Bulkhead<Bell>, Bell>) -> Waiter<'a> {
    match entry {
        Entry::Queued(ticket) => ticket,
        Entry::Admitted(_) => panic!("it was admitted"),
    }
}
