//! A harness for calls of nanoseconds on a noisy machine: contenders take turns in one run, each is measured in CPU time
//! of its threads, and the medians of many short turns are compared.
//!
//! The benchmarks stand in `benches/micro`, one file per pattern; `cargo bench -p guildhall-bench-micro -- limiter` runs
//! the groups whose names contain the word, and with `--write` puts their figures into [bench/RESULTS.md](results).
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark measures real time and prints"
)]

pub mod results;

use std::sync::{Barrier, Mutex, PoisonError};
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};

/// Something measured: `run(n)` makes the call n times.
pub struct Contender<'a> {
    name: &'a str,
    run: Box<dyn Fn(u64) + Sync + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender under this name.
    pub fn new(name: &'a str, run: impl Fn(u64) + Sync + 'a) -> Self {
        Self {
            name,
            run: Box::new(run),
        }
    }
}

/// What one contender cost: medians over the turns.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The contender's.
    pub name: String,
    /// CPU nanoseconds of a call.
    pub cpu: f64,
    /// Nanoseconds between calls by the clock on the wall, all threads together.
    pub wall: f64,
}

/// How long a turn is, and how many turns each contender takes.
const TURN: f64 = 4e6;
const TURNS: usize = 41;
/// The same where threads meet: whether two of them collide all the time or hardly ever is settled anew in each turn.
const TURNS_TOGETHER: usize = 401;

/// What was measured so far.
static TABLES: Mutex<Vec<results::Table>> = Mutex::new(Vec::new());

/// Whether the command line asks for this group: no word asks for all.
pub fn wanted(group: &str) -> bool {
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'));
    words
        .by_ref()
        .next()
        .is_none_or(|first| group.contains(&first))
        || words.any(|word| group.contains(&word))
}

/// Lets the contenders take turns on so many threads at once, prints a table and returns the costs in the same order.
/// The first is ours; the others are shown beside it.
pub fn compare(group: &str, threads: usize, contenders: &[Contender<'_>]) -> Vec<Cost> {
    let calls: Vec<u64> = contenders
        .iter()
        .map(|one| calls_of_a_turn(one, threads))
        .collect();
    let mut turns = vec![(Vec::new(), Vec::new()); contenders.len()];
    let turns_each = if threads > 1 { TURNS_TOGETHER } else { TURNS };
    for turn in 0..turns_each {
        for at in 0..contenders.len() {
            // Nobody always runs behind the same other one.
            let at = (at + turn) % contenders.len();
            let (cpu, wall) = measure(&contenders[at], threads, calls[at]);
            turns[at].0.push(cpu);
            turns[at].1.push(wall);
        }
    }
    let costs: Vec<Cost> = contenders
        .iter()
        .zip(turns)
        .map(|(one, (cpu, wall))| Cost {
            name: one.name.to_owned(),
            cpu: median(cpu),
            wall: median(wall),
        })
        .collect();
    println!(
        "{group}, {threads} thread{}",
        if threads == 1 { "" } else { "s" }
    );
    for cost in &costs {
        println!(
            "  {:<44} {:>8.1} ns CPU {:>8.1} ns wall   × {:.2}",
            cost.name,
            cost.cpu,
            cost.wall,
            cost.cpu / costs[0].cpu
        );
    }
    let table = results::Table {
        group: group.to_owned(),
        threads,
        costs: costs.clone(),
    };
    let mut tables = TABLES.lock().unwrap_or_else(PoisonError::into_inner);
    tables.push(table);
    costs
}

/// Ends a run: the figures go where the command line says.
///
/// # Errors
/// If the results cannot be written.
pub fn finish() -> std::io::Result<()> {
    results::publish(&TABLES.lock().unwrap_or_else(PoisonError::into_inner))
}

fn calls_of_a_turn(contender: &Contender<'_>, threads: usize) -> u64 {
    let mut calls = 1_000;
    loop {
        let (cpu, _) = measure(contender, threads, calls);
        if cpu * calls as f64 >= TURN / 10.0 {
            return (TURN / cpu) as u64 + 1;
        }
        calls *= 4;
    }
}

/// CPU nanoseconds of a call, and nanoseconds by the wall between any two.
fn measure(contender: &Contender<'_>, threads: usize, calls: u64) -> (f64, f64) {
    let start = Barrier::new(threads);
    let one = || {
        start.wait();
        let (cpu, wall) = (thread_cpu(), Instant::now());
        (contender.run)(calls);
        (thread_cpu() - cpu, wall.elapsed().as_nanos() as f64)
    };
    let times: Vec<(f64, f64)> = if threads == 1 {
        vec![one()]
    } else {
        std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
            handles
                .into_iter()
                .filter_map(|handle| handle.join().ok())
                .collect()
        })
    };
    let all = (calls * threads as u64) as f64;
    let cpu: f64 = times.iter().map(|(cpu, _)| cpu).sum();
    let wall = times.iter().map(|(_, wall)| *wall).fold(0.0, f64::max);
    (cpu / all, wall / all)
}

fn thread_cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}
