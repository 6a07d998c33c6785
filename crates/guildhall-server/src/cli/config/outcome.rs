//! What became of the files of an import: a table for people, JSON for programs, the exit code for scripts.

use guildhall_api::client::ClientError;
use guildhall_core::config::import::{File, Skipped};
use serde::Serialize;

use crate::{
    cli::{
        Failure,
        context::Context,
        output::{self, Format},
    },
    table::{Table, Tone, plain, toned},
};

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Outcome {
    Created,
    Changed,
    Unchanged,
    Skipped,
    Refused,
}

impl Outcome {
    const ALL: [Self; 5] = [
        Self::Created,
        Self::Changed,
        Self::Unchanged,
        Self::Skipped,
        Self::Refused,
    ];

    fn word(self) -> (&'static str, Tone) {
        match self {
            Self::Created => ("created", Tone::Good),
            Self::Changed => ("changed", Tone::Good),
            Self::Unchanged => ("unchanged", Tone::Plain),
            Self::Skipped => ("skipped", Tone::Doubtful),
            Self::Refused => ("refused", Tone::Bad),
        }
    }
}

/// A file and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    outcome: Outcome,
    origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// What became of all files.
#[derive(Debug)]
pub(super) struct Report {
    rows: Vec<Row>,
    dry_run: bool,
    /// What changes, as a diff; where it was asked for.
    pub(super) changes: String,
    /// The exit code of the first that was refused.
    code: Option<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whole<'a> {
    dry_run: bool,
    items: &'a [Row],
}

impl Report {
    /// Of what is skipped anyway.
    pub(super) fn new(dry_run: bool, skipped: Vec<Skipped>) -> Self {
        let row = |Skipped { origin, why }| Row {
            file: None,
            outcome: Outcome::Skipped,
            origin,
            why: Some(why),
        };
        Self {
            rows: skipped.into_iter().map(row).collect(),
            dry_run,
            changes: String::new(),
            code: None,
        }
    }

    /// Notes what became of a file.
    pub(super) fn add(&mut self, file: &File, outcome: Outcome, why: Option<String>) {
        self.rows.push(Row {
            file: Some(file.name.clone()),
            outcome,
            origin: file.origin.clone(),
            why,
        });
    }

    /// Notes that the server refused a file.
    pub(super) fn refused(&mut self, file: &File, why: String, failure: &Failure) {
        self.add(file, Outcome::Refused, Some(why));
        self.code.get_or_insert(failure.code());
    }

    /// Prints what was done.
    pub(super) fn print(&mut self, context: &Context) -> Result<(), Failure> {
        // By name; what has none comes last.
        self.rows.sort_by(|a, b| {
            (a.file.is_none(), &a.file, &a.origin).cmp(&(b.file.is_none(), &b.file, &b.origin))
        });
        let whole = Whole {
            dry_run: self.dry_run,
            items: &self.rows,
        };
        let names = || {
            let changed = |row: &&Row| matches!(row.outcome, Outcome::Created | Outcome::Changed);
            let changed = self.rows.iter().filter(changed);
            changed.filter_map(|row| row.file.clone()).collect()
        };
        if context.output == Format::Table {
            output::text(&self.changes)?;
        }
        output::value(context.output, &whole, || self.table(), names)?;
        if context.output == Format::Table {
            output::text(&self.summary())?;
        }
        Ok(())
    }

    fn table(&self) -> Table {
        let mut table = Table::new(&["file", "outcome", "from", "why"], "nothing in it");
        for row in &self.rows {
            let (word, tone) = row.outcome.word();
            table.row([
                plain(row.file.as_deref().unwrap_or("-")),
                toned(word, tone),
                plain(&row.origin),
                plain(row.why.as_deref().unwrap_or_default()),
            ]);
        }
        table
    }

    fn summary(&self) -> String {
        let count = |outcome| {
            self.rows
                .iter()
                .filter(|row| row.outcome == outcome)
                .count()
        };
        let said: Vec<String> = Outcome::ALL
            .into_iter()
            .filter(|outcome| count(*outcome) > 0)
            .map(|outcome| format!("{} {}", count(outcome), outcome.word().0))
            .collect();
        let dry_run = if self.dry_run { " (dry run)" } else { "" };
        format!("{}{dry_run}\n", said.join(", "))
    }

    /// Whether all files are here now.
    pub(super) fn result(&self) -> Result<(), Failure> {
        self.code.map_or(Ok(()), |code| Err(Failure::silent(code)))
    }
}

/// Why the server refused, on one line.
pub(super) fn reason(error: &ClientError) -> String {
    let ClientError::Refused { problem, .. } = error else {
        return error.to_string();
    };
    match problem.errors.as_slice() {
        [] => problem.detail.clone(),
        errors => {
            let each = errors.iter().map(|error| error.detail.as_str());
            each.collect::<Vec<_>>().join("; ")
        }
    }
}
