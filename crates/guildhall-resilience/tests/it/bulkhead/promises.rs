//! What a bulkhead promises besides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use guildhall_resilience::bulkhead::{Bulkhead, BulkheadConfig, Entry, Progress, Reason};
use guildhall_resilience::{Pattern, Rejection};

use super::{Bell, admitted, config, ms, queued, start};
use crate::alloc::allocations;

#[test]
fn a_cancelled_waiter_gives_the_place_that_it_was_handed_to_the_next() {
    let (now, woken) = (start(), std::rc::Rc::default());
    let bell = |id| Bell(std::rc::Rc::clone(&woken), id);
    let bulkhead = Bulkhead::new(config(1, 2));
    let first = admitted(Bulkhead::enter(&bulkhead, None, now, || bell(1)).unwrap());
    let second = queued(Bulkhead::enter(&bulkhead, None, now, || bell(2)).unwrap());
    let mut third = queued(Bulkhead::enter(&bulkhead, None, now, || bell(3)).unwrap());
    drop(first);
    assert_eq!(*woken.borrow(), [2]);
    // Woken, and dropped before it has looked.
    drop(second);
    assert_eq!(*woken.borrow(), [2, 3]);
    assert!(matches!(third.poll(now, || bell(3)), Progress::Admitted(_)));
}

#[test]
fn a_waiter_whose_deadline_is_over_is_not_admitted_even_if_it_was_called() {
    let (now, woken) = (start(), std::rc::Rc::default());
    let bell = |id| Bell(std::rc::Rc::clone(&woken), id);
    let bulkhead = Bulkhead::new(config(1, 2));
    let first = admitted(Bulkhead::enter(&bulkhead, None, now, || bell(1)).unwrap());
    let mut second =
        queued(Bulkhead::enter(&bulkhead, Some(now + ms(50)), now, || bell(2)).unwrap());
    let mut third = queued(Bulkhead::enter(&bulkhead, None, now, || bell(3)).unwrap());
    drop(first);
    let late = now + ms(50);
    assert!(
        matches!(second.poll(late, || bell(2)), Progress::TooLate(refusal) if refusal.reason == Reason::TooLate)
    );
    assert_eq!(*woken.borrow(), [2, 3]);
    assert!(matches!(
        third.poll(late, || bell(3)),
        Progress::Admitted(_)
    ));
}

#[test]
fn nobody_who_comes_later_gets_past_the_queue() {
    let (now, woken) = (start(), std::rc::Rc::default());
    let bell = |id| Bell(std::rc::Rc::clone(&woken), id);
    let bulkhead = Bulkhead::new(config(1, 2));
    let first = admitted(Bulkhead::enter(&bulkhead, None, now, || bell(1)).unwrap());
    let mut second = queued(Bulkhead::enter(&bulkhead, None, now, || bell(2)).unwrap());
    drop(first);
    // The second has been called and has not come yet; its place is taken all the same.
    let third = Bulkhead::enter(&bulkhead, None, now, || bell(3)).unwrap();
    assert!(matches!(third, Entry::Queued(_)));
    assert!(matches!(
        second.poll(now, || bell(2)),
        Progress::Admitted(_)
    ));
}

#[test]
fn a_request_whose_deadline_is_over_already_does_not_queue() {
    let now = start();
    let bulkhead: Bulkhead<()> = Bulkhead::new(config(1, 2));
    let _first = Bulkhead::enter(&bulkhead, None, now, || ()).unwrap();
    let refusal = Bulkhead::enter(&bulkhead, Some(now), now, || ()).unwrap_err();
    assert_eq!(refusal.reason, Reason::TooLate);
    assert_eq!(
        Rejection::from(refusal),
        Rejection {
            by: Pattern::Bulkhead,
            retry_after: None
        }
    );
}

#[test]
fn threads_are_never_more_than_there_are_places_and_leave_none_behind() {
    let now = start();
    let bulkhead: Arc<Bulkhead<()>> = Arc::new(Bulkhead::new(config(2, 4)));
    let (inside, most, runs) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for round in 0..2_000 {
                    let mut ticket = match Bulkhead::enter(Arc::clone(&bulkhead), None, now, || ())
                    {
                        Err(_) => continue,
                        Ok(Entry::Admitted(permit)) => {
                            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                            runs.fetch_add(1, SeqCst);
                            inside.fetch_sub(1, SeqCst);
                            drop(permit);
                            continue;
                        }
                        Ok(Entry::Queued(ticket)) => ticket,
                    };
                    // Some give up, whether called or not.
                    for _ in 0..round % 50 {
                        if let Progress::Admitted(permit) = ticket.poll(now, || ()) {
                            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                            runs.fetch_add(1, SeqCst);
                            inside.fetch_sub(1, SeqCst);
                            drop(permit);
                            break;
                        }
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    let stats = bulkhead.stats();
    assert_eq!((stats.in_flight, stats.queued), (0, 0));
    assert!(most.into_inner() <= 2);
    assert!(runs.into_inner() > 0);
}

#[test]
fn entering_and_leaving_allocate_nothing() {
    let now = start();
    let bulkhead: Bulkhead<()> = Bulkhead::new(config(1, 4));
    let round = || {
        let first = Bulkhead::enter(&bulkhead, None, now, || ()).unwrap();
        let second = Bulkhead::enter(&bulkhead, None, now, || ()).unwrap();
        let third = Bulkhead::enter(&bulkhead, None, now, || ()).unwrap();
        drop((first, second, third));
    };
    // The queue's slab grows once.
    round();
    assert_eq!(allocations(|| (0..100).for_each(|_| round())), 0);
}

#[test]
fn impossible_sizes_name_the_field() {
    let one = BulkheadConfig::new(1).unwrap();
    let fields = [
        BulkheadConfig::new(0),
        one.with_queue(1, ms(0)),
        one.with_queue(0, ms(1)),
        one.with_queue(u32::MAX, ms(1)),
    ]
    .map(|config| config.unwrap_err().field);
    assert_eq!(
        fields,
        ["max_concurrent", "max_wait", "max_wait", "max_queued"]
    );
}
