//! Every state × event.

use std::fmt::Write;

use guildhall_resilience::bulkhead::{Bulkhead, Entry, Progress};

use super::{Bell, Place, Waiter, config, ms, start};

/// Two places, two in the queue.
const STATES: [(&str, usize); 5] = [
    ("empty", 0),
    ("one in", 1),
    ("full", 2),
    ("one waits", 3),
    ("queue full", 4),
];

#[test]
fn every_state_and_event() {
    let events = [
        "another enters",
        "another enters, its deadline over",
        "the first leaves",
        "the first that waits asks",
        "the first that waits asks after its deadline",
        "the first that waits gives up",
        "the first leaves, and who was called gives up",
        "the first leaves, and who was called asks after its deadline",
        "grows to three",
        "shrinks to one, and the first leaves",
    ];
    let mut table = String::new();
    for (state, entered) in STATES {
        for event in events {
            if let Some(told) = run(entered, event) {
                writeln!(table, "{state:<10} | {event:<60} | {told}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// `None` where there is nobody for the event.
fn run(entered: usize, event: &str) -> Option<String> {
    let (now, woken) = (start(), std::rc::Rc::default());
    let bell = |id| Bell(std::rc::Rc::clone(&woken), id);
    let bulkhead = Bulkhead::new(config(2, 2));
    let mut places: Vec<Place<'_>> = Vec::new();
    let mut tickets: Vec<Waiter<'_>> = Vec::new();
    for id in 0..entered {
        match Bulkhead::enter(&bulkhead, None, now, || bell(id as u32)).unwrap() {
            Entry::Admitted(permit) => places.push(permit),
            Entry::Queued(ticket) => tickets.push(ticket),
        }
    }
    let mut told = String::new();
    let mut kept = None;
    let mut enter = |deadline| {
        let got = Bulkhead::enter(&bulkhead, deadline, now, || bell(9));
        let told = match &got {
            Ok(Entry::Admitted(_)) => "admitted".to_owned(),
            Ok(Entry::Queued(_)) => "waits".to_owned(),
            Err(refusal) => format!("refused: {:?}", refusal.reason),
        };
        kept = Some(got);
        told
    };
    let ask = |tickets: &mut Vec<Waiter<'_>>, at| match tickets[0].poll(at, || bell(2)) {
        Progress::Admitted(permit) => {
            std::mem::forget(permit);
            "admitted".to_owned()
        }
        Progress::Waiting => "waits on".to_owned(),
        Progress::TooLate(_) => "too late".to_owned(),
    };
    let late = now + ms(1_000);
    match event {
        "another enters" => told = enter(None),
        "another enters, its deadline over" => told = enter(Some(now)),
        "grows to three" => bulkhead.reconfigure(config(3, 2)),
        _ => {
            if event.contains("that waits") || event.contains("was called") {
                tickets.first()?;
            }
            if event.contains("shrinks to one") {
                bulkhead.reconfigure(config(1, 2));
            }
            if event.contains("the first leaves") {
                places.first()?;
                drop(places.remove(0));
            }
            if event.contains("gives up") {
                drop(tickets.remove(0));
            } else if event.contains("after its deadline") {
                told = ask(&mut tickets, late);
            } else if event.contains("asks") {
                told = ask(&mut tickets, now);
            }
        }
    }
    let stats = bulkhead.stats();
    let woken = woken.borrow();
    write!(
        told,
        "{}{} in, {} wait",
        if told.is_empty() { "" } else { "; " },
        stats.in_flight,
        stats.queued
    )
    .unwrap();
    if !woken.is_empty() {
        write!(told, ", woken {woken:?}").unwrap();
    }
    Some(told)
}
