//! Blocks: what was written is what is read, and a search finds what a look at every span finds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use guildhall_log::files::{Disk, Files};
use guildhall_telemetry::block::{self, Block, ReadError};
use guildhall_telemetry::query::{Field, Filter, Operator, Search, Test};
use guildhall_telemetry::rows::{NO_PARENT, Rows, TraceId};
use guildhall_testkit::files::FaultyFiles;

use crate::fleet;

pub(crate) fn written(rows: &Rows, files: &dyn Files) -> Block {
    block::write(rows, files, "b").unwrap();
    Block::open(files, "b").unwrap()
}

fn by_trace(rows: &Rows) -> BTreeMap<TraceId, Vec<u32>> {
    let mut traces: BTreeMap<TraceId, Vec<u32>> = BTreeMap::new();
    for (row, id) in (0..).zip(&rows.trace_ids) {
        traces.entry(*id).or_default().push(row);
    }
    traces
}

#[test]
fn every_trace_is_found_by_its_id_with_all_that_its_spans_say() {
    let files = FaultyFiles::new();
    let rows = fleet::rows(1, 400);
    let block = written(&rows, &files);
    assert_eq!(block.len() as usize, rows.len());
    for (id, expect) in by_trace(&rows) {
        let summary = block.find(&id).unwrap().expect("a trace is lost");
        let found = block.spans(&summary.places).unwrap();
        same_spans(&found, &rows, &expect);
        let start = expect
            .iter()
            .map(|row| rows.starts[*row as usize])
            .min()
            .unwrap();
        let end = expect
            .iter()
            .map(|row| rows.starts[*row as usize] + rows.durations[*row as usize])
            .max()
            .unwrap();
        let errors = expect
            .iter()
            .filter(|row| rows.statuses[**row as usize] == 2)
            .count();
        let root = expect
            .iter()
            .find(|row| rows.parents[**row as usize] == NO_PARENT)
            .unwrap();
        assert_eq!((summary.start, summary.duration), (start, end - start));
        assert_eq!(
            (summary.spans as usize, summary.errors as usize),
            (expect.len(), errors)
        );
        let name = rows.names.get(rows.name[*root as usize]).unwrap();
        assert_eq!(summary.name.as_bytes(), name);
    }
    assert_eq!(block.find(&[7; 16]).unwrap(), None);
    assert_eq!(block.find(&[0xff; 16]).unwrap(), None);
}

#[test]
fn a_search_finds_what_a_look_at_every_span_finds() {
    let files = FaultyFiles::new();
    let rows = fleet::rows(2, 800);
    let block = written(&rows, &files);
    let attribute = |key: &str| Field::Attribute(key.to_owned());
    let conditions = [
        (Field::Service, Operator::Equal, "orders"),
        (Field::Service, Operator::NotEqual, "orders"),
        (Field::Service, Operator::Equal, "nobody"),
        (Field::Name, Operator::Matches, "^GET"),
        (Field::Kind, Operator::Equal, "2"),
        (Field::Status, Operator::Equal, "2"),
        (Field::Duration, Operator::Greater, "900000000"),
        (Field::Duration, Operator::Less, "1e7"),
        (Field::Root, Operator::Equal, "true"),
        (Field::Root, Operator::Equal, "false"),
        (attribute("user.id"), Operator::Equal, "user-7"),
        (attribute("user.id"), Operator::Equal, "7"),
        (attribute("user.id"), Operator::Equal, "nobody"),
        (attribute("user.id"), Operator::Exists, ""),
        (attribute("http.request.method"), Operator::Equal, "again"),
        (
            attribute("http.response.status_code"),
            Operator::Greater,
            "400",
        ),
        (
            attribute("http.response.status_code"),
            Operator::Matches,
            "^4",
        ),
        (attribute("ratio"), Operator::Less, "0.5"),
        (attribute("cached"), Operator::Equal, "true"),
        (attribute("list"), Operator::Exists, ""),
        (attribute("host.name"), Operator::Equal, "node-of-users"),
        (attribute("nowhere"), Operator::Exists, ""),
    ];
    let filter = |(field, operator, text): &(Field, Operator, &str)| Filter {
        field: field.clone(),
        test: Test::new(*operator, text).unwrap(),
    };
    let (first, last) = block.time().into_inner();
    let middle = first.midpoint(last);
    let mut hits = 0;
    for one in &conditions {
        for other in &conditions {
            for time in [first..=last, first..=middle, last + 1..=u64::MAX] {
                let search = Search {
                    time,
                    filters: vec![filter(one), filter(other)],
                };
                let expect: BTreeSet<TraceId> = (0..u32::try_from(rows.len()).unwrap())
                    .filter(|row| search.finds(&rows, *row))
                    .map(|row| rows.trace_ids[row as usize])
                    .collect();
                let numbers = block.search(&search).unwrap();
                let found = block.summaries(&numbers).unwrap();
                let starts: Vec<u64> = found.iter().map(|summary| summary.start).collect();
                assert!(starts.is_sorted(), "the newest last");
                let found: BTreeSet<TraceId> =
                    found.into_iter().map(|summary| summary.id).collect();
                assert_eq!(found, expect, "{one:?} {other:?}");
                hits += found.len();
            }
        }
    }
    assert!(hits > 10_000, "{hits}");
}

#[test]
fn a_block_is_there_whole_or_not_at_all_wherever_the_power_goes() {
    let rows = fleet::rows(3, 20);
    let (mut whole, mut none) = (0, 0);
    for operations in 0..60 {
        let files = FaultyFiles::new();
        files.cut_power_after(operations);
        let written = block::write(&rows, &files, "b");
        for seed in 0..8 {
            let files = files.crash(seed);
            match &block::list(&files).unwrap()[..] {
                [] => {
                    assert!(written.is_err(), "acknowledged, and lost");
                    none += 1;
                }
                _ => {
                    let block = Block::open(&files, "b").unwrap();
                    assert_eq!(spans_of(&block, &rows), rows.len());
                    whole += 1;
                }
            }
            block::sweep(&files).unwrap();
            let left = files.list().unwrap();
            assert!(left.is_empty() || left.len() == 4, "{left:?}");
        }
    }
    assert!(whole > 50 && none > 50, "{whole} {none}");
}

/// How many spans a block has of the traces of `rows`.
fn spans_of(block: &Block, rows: &Rows) -> usize {
    let found = by_trace(rows).into_keys().map(|id| {
        let summary = block.find(&id).unwrap().expect("a trace is lost");
        block.spans(&summary.places).unwrap().len()
    });
    found.sum()
}

#[test]
fn a_block_that_is_removed_leaves_nothing() {
    let files = FaultyFiles::new();
    written(&fleet::rows(3, 5), &files);
    block::remove(&files, "b").unwrap();
    assert!(files.list().unwrap().is_empty());
    assert!(Block::open(&files, "b").is_err());
}

#[test]
fn what_a_newer_version_wrote_says_so() {
    let files = FaultyFiles::new();
    written(&fleet::rows(3, 5), &files);
    files.corrupt("b.block.json", |json| {
        *json = br#"{"version": 2, "files": "elsewhere"}"#.to_vec();
    });
    let newer = Block::open(&files, "b");
    assert!(matches!(newer, Err(ReadError::Newer(2))));
}

#[test]
fn blocks_of_version_1_are_read() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/block");
    let rows = fleet::rows(1, 12);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&golden).unwrap();
        block::write(&rows, &Disk::open(&golden).unwrap(), "v1").unwrap();
    }
    // A copy: opening a folder locks it with a file of its own.
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(&golden).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let block = Block::open(&Disk::open(folder.path()).unwrap(), "v1").unwrap();
    assert_eq!(spans_of(&block, &rows), rows.len());
    for (id, expect) in by_trace(&rows) {
        let summary = block.find(&id).unwrap().unwrap();
        same_spans(&block.spans(&summary.places).unwrap(), &rows, &expect);
    }
}

fn same_spans(found: &Rows, rows: &Rows, expect: &[u32]) {
    let said = |rows: &Rows, of: &[u32]| -> BTreeSet<String> {
        of.iter().map(|row| fleet::said(rows, *row)).collect()
    };
    let all: Vec<u32> = (0..u32::try_from(found.len()).unwrap()).collect();
    assert_eq!(said(found, &all), said(rows, expect));
}
