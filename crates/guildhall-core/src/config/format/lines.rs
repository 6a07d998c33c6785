//! From a byte's offset to its line and column.

use super::Position;

impl Position {
    /// Where the byte at `offset` of `text` stands; an offset past the end is the end.
    ///
    /// Looks at all of the text before it: see [`Lines`] for many of them.
    pub(crate) fn in_text(text: &str, offset: usize) -> Self {
        let before = before(text, 0, offset);
        let start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |at| at + 1);
        let line = memchr::memchr_iter(b'\n', before.as_bytes()).count();
        Self::at(line, &before[start..])
    }

    fn at(line: usize, before: &str) -> Self {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        let columns = before.trim_start_matches('\u{feff}').chars().count();
        Self {
            line: number(line),
            column: number(columns),
        }
    }
}

/// `text` from `start` to `offset`, cut back to where a character begins.
fn before(text: &str, start: usize, offset: usize) -> &str {
    let end = text.floor_char_boundary(offset.min(text.len()));
    text.get(start..end).unwrap_or_default()
}

/// Where each line of a text begins.
#[derive(Clone, Debug)]
pub(super) struct Lines(Vec<u32>);

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        let starts = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        let starts = std::iter::once(0).chain(starts);
        Self(starts.filter_map(|at| u32::try_from(at).ok()).collect())
    }

    /// Where the byte at `offset` of the same text stands.
    pub(super) fn position(&self, text: &str, offset: usize) -> Position {
        let line = self
            .0
            .partition_point(|start| *start as usize <= offset)
            .saturating_sub(1);
        let start = self.0.get(line).map_or(0, |start| *start as usize);
        Position::at(line, before(text, start, offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text = "\u{feff}ab\nüx\r\n\nend";
        let lines = Lines::new(text);
        for (needle, line, column) in [("a", 1, 1), ("ü", 2, 1), ("x", 2, 2), ("end", 4, 1)] {
            let offset = text.find(needle).unwrap();
            let expect = Position { line, column };
            assert_eq!(lines.position(text, offset), expect, "{needle}");
            assert_eq!(Position::in_text(text, offset), expect, "{needle}");
        }
        let end = Position { line: 4, column: 4 };
        assert_eq!(lines.position(text, 1000), end);
        assert_eq!(Position::in_text(text, text.len()), end);
        assert_eq!(Position::in_text("", 0), Position { line: 1, column: 1 });
    }
}
