//! Spans in memory: a column for each field, and one for each attribute and type.
//!
//! Rows are what a batch is read into, what waits for a decision, what a block is written from and what a query reads from
//! a block; so there is one form, and one way to filter it.

mod attributes;
mod column;
mod spilled;
mod table;

pub use attributes::{Attributes, Column, Value, ValueKind, Values};
pub use column::{Sparse, Texts};
pub(crate) use spilled::decode as pairs;
pub use table::Table;

/// A trace's id: sixteen bytes, never all zero.
pub type TraceId = [u8; 16];
/// A span's id: eight bytes, never all zero.
pub type SpanId = [u8; 8];

/// No parent: what the field holds for a root.
pub const NO_PARENT: SpanId = [0; 8];

/// Spans as columns. All dense columns have one value for each row.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Of which trace.
    pub trace_ids: Vec<TraceId>,
    /// Which span.
    pub span_ids: Vec<SpanId>,
    /// Its parent; [`NO_PARENT`] of a root.
    pub parents: Vec<SpanId>,
    /// When it began: nanoseconds since 1970.
    pub starts: Vec<u64>,
    /// How long it took, in nanoseconds; 0 of one that ends before it begins.
    pub durations: Vec<u64>,
    /// Server, client, …: OTLP's `SpanKind`.
    pub kinds: Vec<u8>,
    /// Unset, ok, error: OTLP's `StatusCode`.
    pub statuses: Vec<u8>,
    /// W3C trace flags and OTLP's bits above them.
    pub flags: Vec<u32>,
    /// Its name, in [`Rows::names`].
    pub name: Vec<u32>,
    /// Who made it, in [`Rows::resources`].
    pub resource: Vec<u32>,
    /// Which library made it, in [`Rows::scopes`].
    pub scope: Vec<u32>,
    /// The names.
    pub names: Table,
    /// The resources: OTLP `Resource` messages, as they came.
    pub resources: Table,
    /// The instrumentation scopes: OTLP `InstrumentationScope` messages, as they came.
    pub scopes: Table,
    /// What a status says.
    pub messages: Texts,
    /// W3C `tracestate`.
    pub trace_states: Texts,
    /// Events, links and counts of what was dropped: fields of the OTLP message that nothing searches, as they came.
    pub details: Texts,
    /// What attributes say.
    pub attributes: Attributes,
}

/// One span's fixed fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fixed {
    /// See [`Rows::trace_ids`].
    pub trace_id: TraceId,
    /// See [`Rows::span_ids`].
    pub span_id: SpanId,
    /// See [`Rows::parents`].
    pub parent: SpanId,
    /// See [`Rows::starts`].
    pub start: u64,
    /// See [`Rows::durations`].
    pub duration: u64,
    /// See [`Rows::kinds`].
    pub kind: u8,
    /// See [`Rows::statuses`].
    pub status: u8,
    /// See [`Rows::flags`].
    pub flags: u32,
}

impl Rows {
    /// How many spans there are.
    pub fn len(&self) -> usize {
        self.trace_ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.trace_ids.is_empty()
    }

    /// The row that comes next.
    pub(crate) fn next(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    /// Ends a row, whose sparse values have been given by [`Rows::next`] already.
    pub(crate) fn push(&mut self, fixed: &Fixed, name: u32, resource: u32, scope: u32) {
        self.trace_ids.push(fixed.trace_id);
        self.span_ids.push(fixed.span_id);
        self.parents.push(fixed.parent);
        self.starts.push(fixed.start);
        self.durations.push(fixed.duration);
        self.kinds.push(fixed.kind);
        self.statuses.push(fixed.status);
        self.flags.push(fixed.flags);
        self.name.push(name);
        self.resource.push(resource);
        self.scope.push(scope);
    }

    /// Takes back the sparse values of a row that was not pushed.
    pub(crate) fn take_back(&mut self) {
        let row = self.next();
        for texts in [
            &mut self.messages,
            &mut self.trace_states,
            &mut self.details,
        ] {
            texts.take_back(row);
        }
        self.attributes.take_back(row);
    }

    /// Copies the rows of `other` that `wanted` names to the end of these.
    pub fn append(&mut self, other: &Self, wanted: &[u32]) {
        let names = self.names.adopt(&other.names);
        let resources = self.resources.adopt(&other.resources);
        let scopes = self.scopes.adopt(&other.scopes);
        let at = |map: &[u32], index: u32| map.get(index as usize).copied().unwrap_or_default();
        let first = self.next();
        for &row in wanted {
            let Some(fixed) = other.fixed(row) else {
                continue;
            };
            let row = row as usize;
            self.push(
                &fixed,
                at(&names, other.name[row]),
                at(&resources, other.resource[row]),
                at(&scopes, other.scope[row]),
            );
        }
        self.messages.append(&other.messages, wanted, first);
        self.trace_states.append(&other.trace_states, wanted, first);
        self.details.append(&other.details, wanted, first);
        self.attributes.append(&other.attributes, wanted, first);
    }

    /// The fixed fields of a row.
    pub fn fixed(&self, row: u32) -> Option<Fixed> {
        let row = row as usize;
        Some(Fixed {
            trace_id: *self.trace_ids.get(row)?,
            span_id: *self.span_ids.get(row)?,
            parent: *self.parents.get(row)?,
            start: *self.starts.get(row)?,
            duration: *self.durations.get(row)?,
            kind: *self.kinds.get(row)?,
            status: *self.statuses.get(row)?,
            flags: *self.flags.get(row)?,
        })
    }

    /// About how many bytes they take.
    pub fn bytes(&self) -> usize {
        // Ids, times and the small fields.
        let dense = 16 + 8 + 8 + 8 + 8 + 1 + 1 + 4 + 4 + 4 + 4;
        let tables = self.names.bytes() + self.resources.bytes() + self.scopes.bytes();
        let texts = self.messages.bytes() + self.trace_states.bytes() + self.details.bytes();
        self.len() * dense + tables + texts + self.attributes.bytes()
    }
}
