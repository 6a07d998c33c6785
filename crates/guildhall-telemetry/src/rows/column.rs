//! Columns that have a value for some rows only.

/// Values of some rows, in the rows' order.
#[derive(Clone, Debug, PartialEq)]
pub struct Sparse<T> {
    /// Whose values they are, ascending.
    pub rows: Vec<u32>,
    /// The values.
    pub values: Vec<T>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl<T: Copy> Sparse<T> {
    /// Adds the value of a row, which none before may follow.
    pub fn push(&mut self, row: u32, value: T) {
        self.rows.push(row);
        self.values.push(value);
    }

    /// The value of a row.
    pub fn get(&self, row: u32) -> Option<T> {
        let at = self.rows.binary_search(&row).ok()?;
        self.values.get(at).copied()
    }

    pub(super) fn take_back(&mut self, row: u32) {
        if self.rows.last() == Some(&row) {
            self.rows.pop();
            self.values.pop();
        }
    }
}

/// Texts, or other bytes, of some rows, one after the other in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Whose they are, ascending.
    pub rows: Vec<u32>,
    /// Where each ends in `bytes`.
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Texts {
    /// Adds the text of a row, which none before may follow. Of two for the same row the later holds, as protobuf has it of
    /// fields that stand twice.
    pub fn push(&mut self, row: u32, text: &[u8]) {
        self.take_back(row);
        self.rows.push(row);
        self.bytes.extend_from_slice(text);
        self.ends.push(self.end());
    }

    /// Adds to the text of a row.
    pub(crate) fn extend(&mut self, row: u32, text: &[u8]) {
        if self.rows.last() != Some(&row) {
            return self.push(row, text);
        }
        self.bytes.extend_from_slice(text);
        let end = self.end();
        if let Some(last) = self.ends.last_mut() {
            *last = end;
        }
    }

    fn end(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Where the text at a place among those that are there stands in [`Texts::all`].
    pub fn range(&self, at: usize) -> std::ops::Range<usize> {
        let start = match at {
            0 => 0,
            at => self.ends.get(at - 1).map_or(0, |end| *end as usize),
        };
        let end = self.ends.get(at).map_or(start, |end| *end as usize);
        start..end
    }

    /// The text at a place among those that are there.
    pub fn at(&self, at: usize) -> &[u8] {
        self.bytes.get(self.range(at)).unwrap_or_default()
    }

    /// All texts, one after the other.
    pub fn all(&self) -> &[u8] {
        &self.bytes
    }

    /// The text of a row.
    pub fn get(&self, row: u32) -> Option<&[u8]> {
        let at = self.rows.binary_search(&row).ok()?;
        Some(self.at(at))
    }

    pub(super) fn take_back(&mut self, row: u32) {
        if self.rows.last() == Some(&row) {
            self.rows.pop();
            self.ends.pop();
            let end = self.ends.last().map_or(0, |end| *end as usize);
            self.bytes.truncate(end);
        }
    }

    pub(super) fn append(&mut self, other: &Self, wanted: &[u32], first: u32) {
        for (at, row) in matches(&other.rows, wanted, first) {
            self.push(row, other.at(at));
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() + 8 * self.rows.len()
    }
}

/// Which values of a column belong to `wanted` rows, and what row each becomes, counted from `first`. `wanted` need not be
/// in order.
pub(super) fn matches<'a>(
    rows: &'a [u32],
    wanted: &'a [u32],
    first: u32,
) -> impl Iterator<Item = (usize, u32)> + 'a {
    let mut near = 0;
    wanted.iter().zip(first..).filter_map(move |(row, new)| {
        // Mostly the next one.
        if rows.get(near) != Some(row) {
            near = rows.partition_point(|known| known < row);
            if rows.get(near) != Some(row) {
                return None;
            }
        }
        let at = near;
        near += 1;
        Some((at, new))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field that stood twice in a span left its first text behind, which the next span then had.
    #[test]
    fn of_two_texts_for_a_row_the_later_holds_and_both_are_taken_back() {
        let mut texts = Texts::default();
        texts.push(0, b"before");
        for text in [&b"a"[..], b"bc"] {
            texts.push(1, text);
        }
        assert_eq!((texts.get(1), texts.len()), (Some(&b"bc"[..]), 2));
        texts.take_back(1);
        assert_eq!(
            (texts.rows.as_slice(), texts.all()),
            (&[0][..], &b"before"[..])
        );
    }
}
