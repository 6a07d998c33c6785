//! The files of a block: there is one as soon as the file that names the others is there, which is written last.

use std::collections::BTreeMap;
use std::io::{self, Write};

use guildhall_log::files::Files;

use super::about::About;
use super::checked::Summing;
use super::order::Order;
use super::traces::{write_index, write_traces};
use super::write::{WriteError, write_spans};
use super::{ABOUT, INDEX, PARTS, SPANS, TRACES, file_of};
use crate::rows::Rows;

/// What a file is called before it is whole.
const NEW: &str = ".new";

/// Writes rows as the block `name`, which is there afterwards, durable and with all in it, or not at all.
///
/// # Errors
/// [`WriteError`]. What was begun is in the way of nothing; [`sweep`] takes it away.
pub fn write(rows: &Rows, files: &dyn Files, name: &str) -> Result<(), WriteError> {
    let order = Order::of(rows);
    let file = |part: &str| Summing::create(files, &file_of(name, part));
    let sums = BTreeMap::from([
        (
            SPANS.to_owned(),
            write_spans(rows, &order, file(SPANS)?)?.finish()?,
        ),
        (
            TRACES.to_owned(),
            write_traces(rows, &order, file(TRACES)?)?.finish()?,
        ),
        (
            INDEX.to_owned(),
            write_index(&order, file(INDEX)?)?.finish()?,
        ),
    ]);
    let about = file_of(name, ABOUT);
    let aside = format!("{about}{NEW}");
    let mut file = Summing::create(files, &aside)?;
    let json = serde_json::to_vec(&About::new(rows, sums))?;
    file.write_all(&json)?;
    file.finish()?;
    // The names of the parts are durable before that of the block.
    files.sync_dir()?;
    files.rename(&aside, &about)?;
    files.sync_dir()?;
    Ok(())
}

/// The names of the blocks that are there, in no order.
///
/// # Errors
/// The folder cannot be read.
pub fn list(files: &dyn Files) -> io::Result<Vec<String>> {
    let suffix = format!(".{ABOUT}");
    let names = files.list()?.into_iter();
    let blocks = names.filter_map(|name| Some(name.strip_suffix(&suffix)?.to_owned()));
    Ok(blocks.collect())
}

/// Takes a block away: first the file that makes it one.
///
/// # Errors
/// A file cannot be removed.
pub fn remove(files: &dyn Files, name: &str) -> io::Result<()> {
    files.remove(&file_of(name, ABOUT))?;
    files.sync_dir()?;
    for part in PARTS {
        files.remove(&file_of(name, part))?;
    }
    Ok(())
}

/// Removes files of blocks that are none: of writes and removals that did not come to their end.
///
/// # Errors
/// The folder cannot be read, or a file not removed.
pub fn sweep(files: &dyn Files) -> io::Result<()> {
    let blocks = list(files)?;
    for name in files.list()? {
        let of = |part: &str| name.strip_suffix(part)?.strip_suffix('.');
        let is_left = PARTS
            .into_iter()
            .find_map(of)
            .is_some_and(|block| !blocks.iter().any(|known| known == block));
        if is_left || name.ends_with(NEW) {
            files.remove(&name)?;
        }
    }
    Ok(())
}
