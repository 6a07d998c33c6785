//! Damage: a byte that is another one is an error where it is read, and nothing else.

use guildhall_log::files::Files;
use guildhall_telemetry::block::{Block, ReadError};
use guildhall_telemetry::query::{Field, Filter, Operator, Search, Test};
use guildhall_testkit::files::FaultyFiles;

use crate::blocks::written;
use crate::fleet;

/// All that a block says.
fn everything(files: &dyn Files) -> Result<Vec<String>, ReadError> {
    let block = Block::open(files, "b")?;
    let filters = vec![Filter {
        field: Field::Attribute("user.id".to_owned()),
        test: Test::new(Operator::Exists, "").unwrap(),
    }];
    let search = Search {
        time: 0..=u64::MAX,
        filters,
    };
    let numbers = block.search(&search)?;
    let mut said = vec![format!("{:?}", block.time())];
    for summary in block.summaries(&numbers)? {
        let found = block.find(&summary.id)?;
        said.push(format!("{found:?}"));
        let rows = block.spans(&summary.places)?;
        said.extend((0..u32::try_from(rows.len()).unwrap()).map(|row| fleet::said(&rows, row)));
    }
    Ok(said)
}

#[test]
fn a_damaged_byte_is_an_error_and_never_another_answer() {
    let files = FaultyFiles::new();
    written(&fleet::rows(1, 60), &files);
    let expect = everything(&files).unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut refused = 0;
    for name in ["spans.parquet", "traces.parquet", "traces.index"] {
        let name = format!("b.{name}");
        let whole = files.contents(&name).unwrap();
        for _ in 0..120 {
            let mut bytes = whole.clone();
            let at = rng.usize(0..bytes.len());
            match rng.u8(0..3) {
                0 => bytes[at] ^= 1 << rng.u8(0..8),
                1 => bytes[at..].fill(0),
                _ => bytes.truncate(at),
            }
            files.corrupt(&name, |file| *file = bytes);
            match everything(&files) {
                Ok(said) => assert_eq!(said, expect, "{name} at {at}"),
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
        files.corrupt(&name, |file| *file = whole);
    }
    assert!(refused > 300, "{refused}");
    assert_eq!(everything(&files).unwrap(), expect);
}
