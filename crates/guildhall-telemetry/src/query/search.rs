//! A search for traces.

use std::ops::RangeInclusive;

use super::{Field, Filter};
use crate::otlp;
use crate::rows::{NO_PARENT, Rows};

/// Traces that have a span for which all conditions hold.
#[derive(Clone, Debug)]
pub struct Search {
    /// When that span began: nanoseconds since 1970.
    pub time: RangeInclusive<u64>,
    /// What holds for it.
    pub filters: Vec<Filter>,
}

impl Search {
    /// Whether a span in memory is found.
    pub fn finds(&self, rows: &Rows, row: u32) -> bool {
        let start = rows.starts.get(row as usize);
        start.is_some_and(|start| self.time.contains(start))
            && self.filters.iter().all(|filter| filter.holds(rows, row))
    }
}

impl Filter {
    /// Whether it holds for a span in memory.
    pub fn holds(&self, rows: &Rows, row: u32) -> bool {
        let at = row as usize;
        let test = &self.test;
        let resource = || {
            let number = rows.resource.get(at)?;
            rows.resources.get(*number)
        };
        let holds = match &self.field {
            Field::Service => {
                resource().map(|resource| test.text(otlp::service(resource).as_bytes()))
            }
            Field::Name => {
                let name = rows.name.get(at).and_then(|name| rows.names.get(*name));
                name.map(|name| test.text(name))
            }
            Field::Kind => rows.kinds.get(at).map(|kind| test.int((*kind).into())),
            Field::Status => rows
                .statuses
                .get(at)
                .map(|status| test.int((*status).into())),
            Field::Duration => {
                let duration = rows.durations.get(at);
                duration.map(|duration| test.int(duration.cast_signed()))
            }
            Field::Root => rows
                .parents
                .get(at)
                .map(|parent| test.flag(*parent == NO_PARENT)),
            Field::Attribute(key) => {
                let own = rows.attributes.of(row);
                let own = own
                    .filter(|(known, _)| known == key)
                    .map(|(_, value)| value);
                let shared = resource().and_then(|resource| otlp::value(resource, key).ok()?);
                Some(own.chain(shared).any(|value| test.passes(value)))
            }
        };
        holds.unwrap_or_default()
    }
}
