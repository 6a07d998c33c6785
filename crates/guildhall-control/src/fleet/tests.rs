//! What the board keeps of what it is told.

mod shares;

use std::time::Duration;

use guildhall_core::{
    document::{InstanceId, Namespace, ServiceName, Timestamp},
    policy::report::{
        Breaker, Called, Event, Received, Report, ReportedBy, ReporterKind, Statistics, Transition,
        Window,
    },
    registry::health::Moment,
};
use guildhall_resilience::breaker::State;

use super::{
    BreakerFilter, FleetOptions,
    board::{Board, Full},
};

const EVERYTHING: Result<Received, Full> = Ok(Received {
    full: true,
    shares: Vec::new(),
});
const DONE: Result<Received, Full> = Ok(Received {
    full: false,
    shares: Vec::new(),
});

fn start() -> Moment {
    Moment {
        wall: Timestamp(1_000),
        ..crate::clock::moment()
    }
}

fn board(options: FleetOptions) -> Board {
    Board::new(options, start().monotonic)
}

fn called(service: &str) -> Called {
    Called {
        namespace: Namespace::default(),
        service: ServiceName::new(service).unwrap(),
        subset: String::new(),
    }
}

fn breaker(service: &str, state: State, total: u64) -> Breaker {
    Breaker {
        target: called(service),
        dry_run: false,
        state,
        since: Timestamp(0),
        until: None,
        last_transition: None,
        order: None,
        statistics: Statistics {
            total,
            ..Statistics::default()
        },
        window: Window::default(),
        policy: None,
    }
}

fn report(instance: &str, sequence: u64, full: bool, breakers: Vec<Breaker>) -> Report {
    Report {
        reporter: ReportedBy {
            kind: ReporterKind::Service,
            namespace: Some(Namespace::new("shop").unwrap()),
            name: ServiceName::new("orders").unwrap(),
            instance: InstanceId::new(instance).unwrap(),
        },
        run: 1,
        sequence,
        full,
        breakers,
        limits: Vec::new(),
        events: Vec::new(),
        omitted: 0,
        events_omitted: 0,
    }
}

fn shown(board: &Board, filter: &BreakerFilter) -> Vec<String> {
    let (rows, _) = board.breakers(filter, |_| true);
    let row = |row: &std::sync::Arc<guildhall_core::policy::report::BreakerRow>| {
        let Breaker {
            target,
            state,
            statistics,
            ..
        } = &row.breaker;
        format!(
            "{} -> {} {state} {}",
            row.caller.instance, target.service, statistics.total
        )
    };
    rows.iter().map(row).collect()
}

#[test]
fn parts_build_on_the_report_before_and_a_gap_asks_for_everything() {
    let (mut board, now) = (board(FleetOptions::default()), start());
    let users = |total| breaker("users", State::Closed, total);
    let stock = |total| breaker("stock", State::Open, total);
    assert_eq!(
        board.take(report("o1", 3, false, vec![users(1)]), now),
        EVERYTHING
    );
    assert_eq!(
        board.take(report("o1", 4, true, vec![users(1), stock(1)]), now),
        DONE
    );
    assert_eq!(
        board.take(report("o1", 5, false, vec![users(2)]), now),
        DONE
    );
    let both = ["o1 -> stock OPEN 1", "o1 -> users CLOSED 2"];
    assert_eq!(shown(&board, &BreakerFilter::default()), both);

    assert_eq!(
        board.take(report("o1", 7, false, vec![users(9)]), now),
        EVERYTHING
    );
    assert_eq!(
        board.take(report("o1", 5, true, vec![]), now),
        DONE,
        "overtaken"
    );
    assert_eq!(shown(&board, &BreakerFilter::default()), both);
    // A restart begins a sequence of its own.
    let mut again = report("o1", 1, false, vec![users(1)]);
    again.run = 2;
    assert_eq!(board.take(again.clone(), now), EVERYTHING);
    again.full = true;
    assert_eq!(board.take(again, now), DONE);
    assert_eq!(
        shown(&board, &BreakerFilter::default()),
        ["o1 -> users CLOSED 1"]
    );
}

#[test]
fn the_index_moves_with_what_is_asked_for_and_never_back() {
    let (mut board, now) = (board(FleetOptions::default()), start());
    let of = |service: &str| BreakerFilter {
        service: Some(service.to_owned()),
        ..BreakerFilter::default()
    };
    let index = |board: &Board, service| board.breakers(&of(service), |_| true).1;
    let both = vec![
        breaker("users", State::Closed, 1),
        breaker("stock", State::Closed, 1),
    ];
    board
        .take(report("o1", 1, true, both.clone()), now)
        .unwrap();
    let (users, stock) = (index(&board, "users"), index(&board, "stock"));
    board.take(report("o1", 2, true, both), now).unwrap();
    assert_eq!(index(&board, "users"), users, "the same again is no news");
    let more = vec![breaker("users", State::Closed, 2)];
    board.take(report("o1", 3, false, more), now).unwrap();
    assert!(index(&board, "users") > users);
    assert_eq!(index(&board, "stock"), stock);
    // Who leaves a state is news to those who ask for it.
    let open = BreakerFilter {
        state: Some(State::Open),
        ..of("users")
    };
    let before = board.breakers(&open, |_| true).1;
    let opened = vec![breaker("users", State::Open, 2)];
    board.take(report("o1", 4, false, opened), now).unwrap();
    let (rows, between) = board.breakers(&open, |_| true);
    assert!(between > before && rows.len() == 1);
    board.take(report("o1", 5, true, vec![]), now).unwrap();
    let (rows, after) = board.breakers(&open, |_| true);
    assert!(after > between && rows.is_empty());
}

#[test]
fn silence_is_forgotten() {
    let (mut board, now) = (board(FleetOptions::default()), start());
    let later = |seconds| now.monotonic + Duration::from_secs(seconds);
    board
        .take(
            report("o1", 1, true, vec![breaker("users", State::Closed, 1)]),
            now,
        )
        .unwrap();
    let second = Moment {
        monotonic: later(20),
        ..now
    };
    board
        .take(
            report("o2", 1, true, vec![breaker("users", State::Closed, 2)]),
            second,
        )
        .unwrap();
    board.expire(later(29));
    assert_eq!(board.statistics().reporters, 2);
    let before = board.revision();
    board.expire(later(30));
    assert_eq!(
        shown(&board, &BreakerFilter::default()),
        ["o2 -> users CLOSED 2"]
    );
    assert!(board.revision() > before);
    assert_eq!(
        board.take(report("o1", 2, false, vec![]), second),
        EVERYTHING,
        "who is forgotten tells everything"
    );
}

#[test]
fn transitions_are_kept_in_order_once_and_the_latest_only() {
    let (mut board, now) = (board(FleetOptions::default()), start());
    let event = |at: u64| Event {
        target: called("users"),
        dry_run: false,
        transition: Transition {
            from: State::Closed,
            to: State::Open,
            reason: "r".to_owned(),
            at: Timestamp(at),
        },
    };
    let mut told = report("o1", 1, true, vec![breaker("users", State::Open, 1)]);
    told.events = (1..=9).map(event).collect();
    board.take(told.clone(), now).unwrap();
    told.sequence = 2;
    told.events = (8..=12).map(event).collect();
    board.take(told, now).unwrap();
    let (rows, _) = board.breakers(&BreakerFilter::default(), |_| true);
    let kept: Vec<u64> = rows[0].transitions.iter().map(|one| one.at.0).collect();
    assert_eq!(kept, (3..=12).collect::<Vec<u64>>());
}

#[test]
fn there_is_room_for_so_many() {
    let options = FleetOptions {
        reporters: 2,
        entries: 3,
        ..FleetOptions::default()
    };
    let (mut board, now) = (board(options), start());
    let one = |name: &str| breaker(name, State::Closed, 1);
    board
        .take(report("o1", 1, true, vec![one("a")]), now)
        .unwrap();
    board
        .take(report("o2", 1, true, vec![one("a"), one("b")]), now)
        .unwrap();
    assert_eq!(
        board.take(report("o3", 1, true, vec![one("a")]), now),
        Err(Full::Reporters(2))
    );
    let larger = report("o1", 2, true, vec![one("a"), one("b")]);
    assert_eq!(board.take(larger, now), Err(Full::Entries(3)));
    assert_eq!(board.take(report("o2", 2, true, vec![]), now), DONE);
    assert_eq!(
        board.take(report("o1", 2, true, vec![one("a"), one("b")]), now),
        DONE
    );
    let (pairs, beyond) = board.pairs(1);
    assert_eq!((pairs.len(), beyond), (1, 1));
    assert_eq!(pairs.values().next().unwrap()[0], 1);
}

#[test]
fn filters_are_by_namespace_of_either_side_by_caller_and_by_service() {
    let (mut board, now) = (board(FleetOptions::default()), start());
    let all = vec![
        breaker("users", State::Closed, 1),
        breaker("stock", State::Open, 1),
    ];
    board.take(report("o1", 1, true, all), now).unwrap();
    let ask = |filter: BreakerFilter| shown(&board, &filter).len();
    let namespace = |name: &str| BreakerFilter {
        namespace: Some(Namespace::new(name).unwrap()),
        ..BreakerFilter::default()
    };
    assert_eq!((ask(namespace("shop")), ask(namespace("default"))), (2, 2));
    assert_eq!(ask(namespace("bank")), 0);
    let caller = |name: &str| BreakerFilter {
        caller: Some(name.to_owned()),
        ..BreakerFilter::default()
    };
    assert_eq!((ask(caller("orders")), ask(caller("users"))), (2, 0));
    let open = BreakerFilter {
        state: Some(State::Open),
        ..caller("orders")
    };
    assert_eq!(ask(open), 1);
}
