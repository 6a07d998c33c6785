//! What the parsers share: objects without duplicate keys, the pointer of what is being read, and the depth.

use std::collections::HashMap;

use super::{Member, Node, ParseError, Span, parsed::MAX_DEPTH, tree::join};

/// An object under construction, which takes each key once.
#[derive(Debug, Default)]
pub(super) struct Members {
    list: Vec<Member>,
    /// Where each key stands in the list, once there are many.
    known: HashMap<String, usize>,
}

const MANY: usize = 16;

impl Members {
    /// The member with this key.
    pub(super) fn get(&self, key: &str) -> Option<&Member> {
        if self.known.is_empty() {
            return self.list.iter().find(|member| member.key == key);
        }
        self.known.get(key).and_then(|at| self.list.get(*at))
    }

    /// Adds a member whose key is not there yet.
    pub(super) fn push(&mut self, key: String, key_span: Span, node: Node) {
        if self.list.len() == MANY {
            let keys = self.list.iter().enumerate();
            self.known = keys.map(|(at, m)| (m.key.clone(), at)).collect();
        }
        if self.list.len() >= MANY {
            self.known.insert(key.clone(), self.list.len());
        }
        self.list.push(Member {
            key,
            key_span,
            node,
        });
    }

    pub(super) fn last(&self) -> Option<&Member> {
        self.list.last()
    }

    pub(super) fn into_list(self) -> Vec<Member> {
        self.list
    }
}

/// A key that was given before.
pub(super) fn twice(text: &str, key: &str, first: Span, again: usize) -> ParseError {
    let first = super::Position::in_text(text, first.start as usize);
    ParseError::at(
        text,
        again,
        format_args!("{key:?} was given at {first} already; keep one of the two"),
    )
}

/// The pointer of the value that is being read.
#[derive(Debug, Default)]
pub(super) struct Path {
    pointer: String,
    lengths: Vec<usize>,
}

impl Path {
    pub(super) fn enter(&mut self, step: &str) {
        self.lengths.push(self.pointer.len());
        join(&mut self.pointer, step);
    }

    pub(super) fn leave(&mut self) {
        self.pointer.truncate(self.lengths.pop().unwrap_or(0));
    }

    pub(super) fn as_str(&self) -> &str {
        &self.pointer
    }
}

/// Refuses a list or object that would be the `depth`th in each other.
pub(super) fn check_depth(text: &str, at: usize, depth: usize) -> Result<(), ParseError> {
    if depth <= MAX_DEPTH {
        return Ok(());
    }
    Err(ParseError::at(
        text,
        at,
        format_args!(
            "lists and objects stand more than {MAX_DEPTH} deep in each other here; write it flatter"
        ),
    ))
}
