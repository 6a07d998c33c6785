//! Finds for every alternative of one side one that covers it on the other.
//!
//! Recursive schemas end where a pair is met that is already being compared: it is then taken to
//! hold, which is right if nothing else in the circle breaks. A pair's result is remembered if it
//! does not rest on such an assumption about a pair further out; what does is worked out again.
//! All work counts against one budget, so that no document takes long.

use std::{
    collections::{HashMap, hash_map::Entry},
    rc::Rc,
};

use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use super::{
    Direction,
    flat::{Conjunction, Node, alternatives},
    input, output,
    shape::Shape,
};
use crate::registry::contract::{
    change::{ChangeKind, MAX_CHANGES, Report},
    document::Root,
};

/// How deep a message is compared.
const MAX_DEPTH: usize = 64;
/// How many steps one contract may take: pairs of schemas met, their parts, and what is copied.
/// A contract of 1 MiB, the most that a document may have, takes about a tenth.
const BUDGET: usize = 1_000_000;

/// Compares schemas of one document with those of another.
pub(in crate::registry::contract) struct Comparison<'a> {
    pub(super) old: Root<'a>,
    pub(super) new: Root<'a>,
    budget: usize,
    /// The pairs being compared, with how deep they stand; and those that are done.
    pairs: HashMap<Pair, Progress>,
}

/// Two nodes by the addresses of their schemas, and the direction.
type Pair = (SmallVec<[usize; 1]>, SmallVec<[usize; 1]>, bool);

enum Progress {
    Open(usize),
    Done(Rc<[Found]>),
}

/// Something that breaks, at a pointer relative to where comparison began.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) kind: ChangeKind,
    pub(super) at: String,
    pub(super) detail: String,
}

/// What was found about a pair.
pub(super) struct Outcome {
    pub(super) found: Vec<Found>,
    /// The depth of the outermost open pair that this rests upon.
    rests_on: usize,
}

impl Outcome {
    pub(super) fn new() -> Self {
        Self {
            found: Vec::new(),
            rests_on: usize::MAX,
        }
    }

    pub(super) fn add(
        &mut self,
        kind: ChangeKind,
        at: impl Into<String>,
        detail: impl Into<String>,
    ) {
        if self.found.len() <= MAX_CHANGES {
            self.found.push(Found {
                kind,
                at: at.into(),
                detail: detail.into(),
            });
        }
    }

    /// Takes in what was found at `step` below here.
    pub(super) fn extend(&mut self, step: &str, below: Outcome) {
        self.rests_on = self.rests_on.min(below.rests_on);
        for found in below.found {
            self.add(found.kind, format!("{step}{}", found.at), found.detail);
        }
    }
}

impl<'a> Comparison<'a> {
    pub(in crate::registry::contract) fn new(old: &'a Value, new: &'a Value) -> Self {
        Self {
            old: Root(old),
            new: Root(new),
            budget: BUDGET,
            pairs: HashMap::new(),
        }
    }

    /// Reports what breaks from `old` to `new`, in `direction`; `at` says where they are used.
    pub(in crate::registry::contract) fn compare(
        &mut self,
        old: &'a Value,
        new: &'a Value,
        direction: Direction,
        at: &str,
        report: &mut Report,
    ) {
        let (inward, outward) = (
            direction != Direction::Output,
            direction != Direction::Input,
        );
        for (wanted, is_input) in [(inward, true), (outward, false)] {
            if wanted {
                let outcome = self.nodes(&smallvec![old], &smallvec![new], is_input, 0);
                for found in outcome.found {
                    let separator = if at.is_empty() || found.at.is_empty() {
                        ""
                    } else {
                        " "
                    };
                    report.add(
                        found.kind,
                        format!("{at}{separator}{}", found.at),
                        found.detail,
                    );
                }
            }
        }
    }

    /// Compares two nodes, `depth` steps into the message.
    pub(super) fn nodes(
        &mut self,
        old: &Node<'a>,
        new: &Node<'a>,
        is_input: bool,
        depth: usize,
    ) -> Outcome {
        if depth > MAX_DEPTH {
            return incomplete(format!("nested more than {MAX_DEPTH} deep"));
        }
        if self.budget == 0 {
            return incomplete("the contract is too large to be compared in full");
        }
        let (old_root, new_root) = (self.old, self.new);
        let old: &Node<'a> = &old
            .iter()
            .map(|schema| old_root.follow_plain(schema))
            .collect();
        let new: &Node<'a> = &new
            .iter()
            .map(|schema| new_root.follow_plain(schema))
            .collect();
        let addresses = |node: &Node<'a>| {
            node.iter()
                .map(|schema| std::ptr::from_ref(*schema).addr())
                .collect()
        };
        let pair: Pair = (addresses(old), addresses(new), is_input);
        match self.pairs.entry(pair.clone()) {
            Entry::Vacant(place) => {
                place.insert(Progress::Open(depth));
            }
            Entry::Occupied(place) => {
                let outcome = match place.get() {
                    Progress::Open(at) => Outcome {
                        found: Vec::new(),
                        rests_on: *at,
                    },
                    Progress::Done(found) => Outcome {
                        found: found.to_vec(),
                        rests_on: usize::MAX,
                    },
                };
                self.spend(1 + outcome.found.len());
                return outcome;
            }
        }
        let mut outcome = self.alternatives(old, new, is_input, depth);
        if outcome.rests_on >= depth {
            outcome.rests_on = usize::MAX;
            self.pairs
                .insert(pair, Progress::Done(outcome.found.clone().into()));
        } else {
            self.pairs.remove(&pair);
        }
        outcome
    }

    fn alternatives(
        &mut self,
        old: &Node<'a>,
        new: &Node<'a>,
        is_input: bool,
        depth: usize,
    ) -> Outcome {
        let (Ok(old), Ok(new)) = (alternatives(self.old, old), alternatives(self.new, new)) else {
            return incomplete("too many alternatives, or a schema that is made of itself");
        };
        let parts = |all: &[Conjunction<'a>]| all.iter().map(|parts| parts.len()).sum::<usize>();
        self.spend(1 + parts(&old) + parts(&new));
        let shapes = |all: Vec<_>| all.iter().flat_map(Shape::of).collect::<Vec<_>>();
        let (old, new) = (shapes(old), shapes(new));
        let mut outcome = Outcome::new();
        // What could be sent must be taken; what may be given must have been possible.
        let (covered, covering) = if is_input { (&old, &new) } else { (&new, &old) };
        for shape in covered {
            let mut best: Option<Outcome> = None;
            for other in covering
                .iter()
                .filter(|other| other.types.overlaps(shape.types))
            {
                self.spend(1);
                let found = match is_input {
                    true => input::compare(self, shape, other, depth),
                    false => output::compare(self, other, shape, depth),
                };
                // Whether a tried and dropped pair rests on an open one matters all the same.
                let rests_on = best
                    .as_ref()
                    .map_or(usize::MAX, |best| best.rests_on)
                    .min(found.rests_on);
                if best
                    .as_ref()
                    .is_none_or(|best| found.found.len() < best.found.len())
                {
                    best = Some(found);
                }
                if let Some(best) = &mut best {
                    best.rests_on = rests_on;
                    if best.found.is_empty() {
                        break;
                    }
                }
            }
            match best {
                Some(best) => outcome.extend("", best),
                None => outcome.add(
                    if is_input {
                        ChangeKind::TypeNarrowed
                    } else {
                        ChangeKind::TypeChanged
                    },
                    "",
                    types_changed(&old, &new),
                ),
            }
        }
        outcome
    }

    fn spend(&mut self, steps: usize) {
        self.budget = self.budget.saturating_sub(steps);
    }
}

/// The types of all alternatives before and after, in words.
fn types_changed(old: &[Shape<'_>], new: &[Shape<'_>]) -> String {
    let words = |shapes: &[Shape<'_>]| {
        let types = shapes
            .iter()
            .map(|shape| shape.types)
            .reduce(super::types::Types::or);
        types.map_or_else(|| "nothing".to_owned(), |types| types.to_string())
    };
    format!("was {}, is now {}", words(old), words(new))
}

fn incomplete(detail: impl Into<String>) -> Outcome {
    let mut outcome = Outcome::new();
    outcome.add(
        ChangeKind::Incomplete,
        "",
        format!("{}: compare it by hand", detail.into()),
    );
    outcome
}

/// A step of a JSON Pointer.
pub(super) fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A value in words, short enough for a line.
pub(super) fn show(value: &Value) -> String {
    let text = value.to_string();
    let end = text.floor_char_boundary(80);
    if end < text.len() {
        format!("{}…", &text[..end])
    } else {
        text
    }
}
