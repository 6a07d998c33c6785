//! Printing: tables for people, JSON and YAML for programs.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

use super::{Exit, Failure};
use crate::table::Table;

/// How a command prints what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// One JSON value.
    Json,
    /// YAML.
    Yaml,
    /// Names only, one a line.
    Name,
    /// Graphviz, for `graph`.
    Dot,
}

/// Whether colours are shown: on a terminal, unless NO_COLOR is set.
pub(crate) fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes `text` to stdout. A reader that has gone away (`| head`) is no failure.
pub(crate) fn text(text: &str) -> Result<(), Failure> {
    line(text).map(drop)
}

/// Writes `text` to stdout; whether anybody still reads.
pub(crate) fn line(text: &str) -> Result<bool, Failure> {
    written(text.as_bytes())
}

/// Writes what may not be text to stdout, as it is.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    written(bytes).map(drop)
}

fn written(bytes: &[u8]) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(Exit::Failure, "stdout cannot be written to").why(error)),
    }
}

/// Writes a remark to stderr.
pub(crate) fn warn(text: &str) {
    // Nothing can be done when not even this can be written.
    let _ = writeln!(io::stderr().lock(), "warning: {text}");
}

/// Writes what a person may want to know to stderr.
pub(crate) fn note(text: &str) {
    // Nothing can be done when not even this can be written.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes `value` as indented JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(unwritable)?;
    text(&format!("{json}\n"))
}

/// Writes `value` as YAML.
pub(crate) fn yaml<T: Serialize>(value: &T) -> Result<(), Failure> {
    text(&to_yaml(value)?)
}

/// `value` as YAML text.
pub(crate) fn to_yaml<T: Serialize>(value: &T) -> Result<String, Failure> {
    yaml_serde::to_string(value).map_err(unwritable)
}

/// Writes `value` in the way asked for; `table` and `names` make what people and scripts read.
pub(crate) fn value<T: Serialize>(
    format: Format,
    value: &T,
    table: impl FnOnce() -> Table,
    names: impl FnOnce() -> Vec<String>,
) -> Result<(), Failure> {
    match format {
        Format::Table => text(&table().render(colours())),
        Format::Json => json(value),
        Format::Yaml => yaml(value),
        Format::Dot => Err(Failure::new(Exit::Usage, "only graphs are printed as dot")
            .next("guildhall graph -o dot")),
        Format::Name => text(
            &names()
                .into_iter()
                .map(|name| name + "\n")
                .collect::<String>(),
        ),
    }
}

pub(super) fn unwritable(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Failure, "the answer cannot be printed").why(error)
}
