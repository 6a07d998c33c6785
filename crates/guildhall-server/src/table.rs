//! Tables for people: aligned columns without lines, in the terminal's width, with colour for what needs a look.

use comfy_table::{Cell, Color, ContentArrangement, presets::NOTHING};

/// How a cell is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Worth a look.
    Doubtful,
    /// Not well.
    Bad,
}

/// A table under construction.
pub(crate) struct Table {
    inner: comfy_table::Table,
    rows: Vec<Vec<(String, Tone)>>,
    empty: &'static str,
}

impl Table {
    /// A table with these columns; `empty` is said when there is no row.
    pub(crate) fn new(columns: &[&str], empty: &'static str) -> Self {
        let mut inner = comfy_table::Table::new();
        inner
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        inner.set_header(columns.iter().map(|column| column.to_uppercase()));
        Self {
            inner,
            rows: Vec::new(),
            empty,
        }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [(String, Tone); N]) {
        self.rows.push(cells.into());
    }

    /// The table as text.
    pub(crate) fn render(mut self, colours: bool) -> String {
        if self.rows.is_empty() {
            return format!("{}\n", self.empty);
        }
        for row in self.rows {
            self.inner.add_row(row.into_iter().map(|(text, tone)| {
                let cell = Cell::new(text);
                match tone {
                    Tone::Good if colours => cell.fg(Color::Green),
                    Tone::Doubtful if colours => cell.fg(Color::Yellow),
                    Tone::Bad if colours => cell.fg(Color::Red),
                    _ => cell,
                }
            }));
        }
        if colours {
            self.inner.enforce_styling();
        } else {
            self.inner.force_no_tty();
        }
        for column in self.inner.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let lines: Vec<String> = self
            .inner
            .lines()
            .map(|line| line.trim_end().to_owned() + "\n")
            .collect();
        lines.concat()
    }
}

/// A cell as it is.
pub(crate) fn plain(text: impl ToString) -> (String, Tone) {
    (text.to_string(), Tone::Plain)
}

/// A cell with a tone.
pub(crate) fn toned(text: impl ToString, tone: Tone) -> (String, Tone) {
    (text.to_string(), tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_colours_are_for_terminals() {
        let table = || {
            let mut table = Table::new(&["name", "health"], "nothing");
            table.row([plain("user-service"), toned("healthy", Tone::Good)]);
            table.row([plain("a"), toned("unhealthy", Tone::Bad)]);
            table
        };
        let expect = "NAME          HEALTH\nuser-service  healthy\na             unhealthy\n";
        assert_eq!(table().render(false), expect);
        assert!(table().render(true).contains("\u{1b}["));
        assert_eq!(
            Table::new(&["name"], "no services").render(true),
            "no services\n"
        );
    }
}
