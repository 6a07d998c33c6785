//! Limits on values: numbers, lengths, patterns, formats.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Limits that only get tighter as schemas are merged.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds<'a> {
    /// The limit and whether it is itself excluded.
    minimum: Option<(f64, bool)>,
    maximum: Option<(f64, bool)>,
    /// One for each of [`SIZES`].
    sizes: [Option<u64>; SIZES.len()],
    multiples: Vec<f64>,
    unique: bool,
    patterns: BTreeSet<&'a str>,
    formats: BTreeSet<&'a str>,
}

/// Keywords that count, and whether the limit is an upper one.
const SIZES: [(&str, bool); 6] = [
    ("minLength", false),
    ("maxLength", true),
    ("minItems", false),
    ("maxItems", true),
    ("minProperties", false),
    ("maxProperties", true),
];

/// Formats of numbers, each followed by one that covers it.
const WIDENED: [(&str, &str); 2] = [("int32", "int64"), ("float", "double")];

impl<'a> Bounds<'a> {
    pub(super) fn merge(&mut self, schema: &'a Map<String, Value>) {
        let number = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
        let flag = |keyword: &str| schema.get(keyword) == Some(&Value::Bool(true));
        // Up to draft 4 and OpenAPI 3.0 the exclusive limits are flags, later numbers.
        let lower = [
            number("minimum").map(|n| (n, flag("exclusiveMinimum"))),
            number("exclusiveMinimum").map(|n| (n, true)),
        ];
        let upper = [
            number("maximum").map(|n| (n, flag("exclusiveMaximum"))),
            number("exclusiveMaximum").map(|n| (n, true)),
        ];
        for limit in lower.into_iter().flatten() {
            if self
                .minimum
                .is_none_or(|before| tighter(limit, before, false))
            {
                self.minimum = Some(limit);
            }
        }
        for limit in upper.into_iter().flatten() {
            if self
                .maximum
                .is_none_or(|before| tighter(limit, before, true))
            {
                self.maximum = Some(limit);
            }
        }
        for (place, (keyword, upper)) in self.sizes.iter_mut().zip(SIZES) {
            let given = schema.get(keyword).and_then(Value::as_u64);
            *place = match (*place, given) {
                (Some(a), Some(b)) => Some(if upper { a.min(b) } else { a.max(b) }),
                (a, b) => a.or(b),
            };
        }
        self.multiples
            .extend(number("multipleOf").filter(|n| *n > 0.0));
        self.unique |= flag("uniqueItems");
        self.patterns
            .extend(schema.get("pattern").and_then(Value::as_str));
        self.formats
            .extend(schema.get("format").and_then(Value::as_str));
    }

    /// What a value that `self` allowed may meet in `new`, in words.
    pub(super) fn narrowed_by(&self, new: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (word, old, new, upper) in [
            ("minimum", self.minimum, new.minimum, false),
            ("maximum", self.maximum, new.maximum, true),
        ] {
            match (old, new) {
                (Some(old), Some(new)) if tighter(new, old, upper) => {
                    found.push(format!("{word} was {}, is now {}", limit(old), limit(new)));
                }
                (None, Some(new)) => found.push(format!("{word} is now {}", limit(new))),
                _ => {}
            }
        }
        for (n, (keyword, upper)) in SIZES.into_iter().enumerate() {
            match (self.sizes[n], new.sizes[n]) {
                (Some(old), Some(new)) if old != new && (new < old) == upper => {
                    found.push(format!("{keyword} was {old}, is now {new}"));
                }
                // At least none is no limit.
                (None, Some(new)) if upper || new > 0 => {
                    found.push(format!("{keyword} is now {new}"))
                }
                _ => {}
            }
        }
        for multiple in &new.multiples {
            let kept = |old: &f64| (old / multiple).fract() == 0.0;
            if !self.multiples.iter().any(kept) {
                found.push(format!("multipleOf is now {multiple}"));
            }
        }
        if new.unique && !self.unique {
            found.push("items must be unique now".to_owned());
        }
        for pattern in new.patterns.difference(&self.patterns) {
            found.push(format!("must match the pattern {pattern:?} now"));
        }
        found.extend(self.formats_beside(new));
        found
    }

    /// What a value that `new` gives may be that `self` did not allow, as far as consumers
    /// depend on it: its format. Other limits of answers are rarely relied upon.
    pub(super) fn widened_by(&self, new: &Self) -> Option<String> {
        if self.formats.is_empty() {
            None
        } else {
            new.formats_beside(self)
                .map(|_| change(&self.formats, &new.formats))
        }
    }

    /// How the formats of `new` exclude something that those of `self` allow.
    fn formats_beside(&self, new: &Self) -> Option<String> {
        let covered = |format: &&str| {
            self.formats.contains(format)
                || WIDENED
                    .iter()
                    .any(|(narrow, wide)| wide == format && self.formats.contains(narrow))
        };
        let all = new.formats.iter().all(covered);
        (!all).then(|| change(&self.formats, &new.formats))
    }
}

fn change(old: &BTreeSet<&str>, new: &BTreeSet<&str>) -> String {
    let words = |formats: &BTreeSet<&str>| match formats.iter().copied().collect::<Vec<_>>() {
        none if none.is_empty() => "not given".to_owned(),
        some => some.join(" and "),
    };
    format!("format was {}, is now {}", words(old), words(new))
}

/// Whether limit `a` excludes something that limit `b` allows.
fn tighter(a: (f64, bool), b: (f64, bool), upper: bool) -> bool {
    let beyond = if upper { a.0 < b.0 } else { a.0 > b.0 };
    beyond || (a.0 == b.0 && a.1 && !b.1)
}

fn limit((number, excluded): (f64, bool)) -> String {
    if excluded {
        format!("{number} (excluded)")
    } else {
        number.to_string()
    }
}
