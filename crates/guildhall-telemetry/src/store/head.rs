//! What is durable in the log and in no block yet.

use std::sync::Arc;

use guildhall_log::Sequence;

use crate::rows::Rows;

/// The spans of one record.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) sequence: Sequence,
    pub(super) rows: Arc<Rows>,
    bytes: usize,
}

impl Batch {
    pub(super) fn new(sequence: Sequence, rows: Rows) -> Self {
        Self {
            sequence,
            bytes: rows.bytes(),
            rows: Arc::new(rows),
        }
    }
}

/// The batches, by their sequence.
#[derive(Clone, Default)]
pub(super) struct Head {
    batches: Vec<Batch>,
    bytes: usize,
}

impl Head {
    /// Adds the batch that follows all others.
    pub(super) fn push(&mut self, batch: Batch) {
        self.bytes += batch.bytes;
        self.batches.push(batch);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn spans(&self) -> u64 {
        self.batches
            .iter()
            .map(|batch| batch.rows.len() as u64)
            .sum()
    }

    pub(super) fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Takes away what has come to a block: all up to `last`.
    pub(super) fn drop_through(&mut self, last: Sequence) {
        self.batches.retain(|batch| batch.sequence > last);
        self.bytes = self.batches.iter().map(|batch| batch.bytes).sum();
    }

    /// All spans in one piece, and the first and the last record; `None` if there is none.
    pub(super) fn merged(&self) -> Option<(Rows, Sequence, Sequence)> {
        let (first, last) = (self.batches.first()?, self.batches.last()?);
        let mut all = Rows::default();
        for batch in &self.batches {
            let every: Vec<u32> = (0..batch.rows.next()).collect();
            all.append(&batch.rows, &every);
        }
        Some((all, first.sequence, last.sequence))
    }
}
