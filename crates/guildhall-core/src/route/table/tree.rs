//! The rules of one host as a tree over path elements.
//!
//! Exact paths stand in a map. Prefixes hang at the node that their last element leads to.
//! Expressions hang at the node of the literal elements they begin with, so that only those on a
//! request's way are tried. A request costs one step per path element, however many rules the
//! host has.

use std::{cmp::Reverse, sync::Arc};

use regex::bytes::Regex;

use super::{Match, RequestHead, compiler::CompiledRoute, hash::Map, rule::Rule, test::Test};
use crate::route::{pattern, spec::PathMatchType};

#[derive(Debug)]
pub(super) struct HostTree {
    exact: Map<Vec<Entry>>,
    nodes: Vec<Node>,
    entries: usize,
}

/// A place that path elements lead to; the first node is the root.
#[derive(Debug, Default)]
struct Node {
    parent: usize,
    children: Map<usize>,
    /// The most specific first.
    prefixes: Vec<Entry>,
    patterns: Vec<PatternEntry>,
}

/// One match of one rule.
#[derive(Debug)]
struct Entry {
    test: Arc<Test>,
    rule: Arc<Rule>,
    /// How much of a path the prefix takes, without a slash at its end.
    prefix: usize,
}

#[derive(Debug)]
struct PatternEntry {
    /// Its place among all the host's expressions: the lowest that matches wins.
    rank: usize,
    regex: Regex,
    entry: Entry,
}

impl HostTree {
    /// The tree of `routes`, which are in order of precedence.
    pub(super) fn build<'r>(routes: impl Iterator<Item = &'r Arc<CompiledRoute>>) -> Self {
        let mut all: Vec<_> = routes.flat_map(|route| &route.matches).collect();
        // Stable: what is equally specific stays in the order of routes, rules and matches.
        all.sort_by_key(|one| {
            let length = if one.path_type == PathMatchType::RegularExpression {
                one.path.len()
            } else {
                0
            };
            (Reverse(length), one.test.specificity())
        });
        let mut tree = Self {
            exact: Map::default(),
            nodes: vec![Node::default()],
            entries: all.len(),
        };
        for (rank, one) in all.into_iter().enumerate() {
            let entry = |prefix| Entry {
                test: Arc::clone(&one.test),
                rule: Arc::clone(&one.rule),
                prefix,
            };
            match (one.path_type, &one.regex) {
                (PathMatchType::Exact, _) => tree
                    .exact
                    .entry(one.path.clone())
                    .or_default()
                    .push(entry(one.path.len())),
                (PathMatchType::PathPrefix, _) => {
                    let prefix = one.path.trim_end_matches('/');
                    let node = tree.node(prefix.split('/').skip(1));
                    tree.nodes[node].prefixes.push(entry(prefix.len()));
                }
                (PathMatchType::RegularExpression, Some(regex)) => {
                    let node = tree.node(pattern::literal_elements(&one.path).into_iter());
                    let (regex, entry) = (regex.clone(), entry(0));
                    tree.nodes[node]
                        .patterns
                        .push(PatternEntry { rank, regex, entry });
                }
                (PathMatchType::RegularExpression, None) => {}
            }
        }
        tree
    }

    /// The node that `elements` lead to, made if it is not there.
    fn node<'p>(&mut self, elements: impl Iterator<Item = &'p str>) -> usize {
        let mut at = 0;
        for element in elements {
            at = match self.nodes[at].children.get(element) {
                Some(child) => *child,
                None => {
                    let child = self.nodes.len();
                    self.nodes.push(Node {
                        parent: at,
                        ..Node::default()
                    });
                    self.nodes[at].children.insert(element.into(), child);
                    child
                }
            };
        }
        at
    }

    /// How many matches it has.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    pub(super) fn find(&self, head: &RequestHead<'_>) -> Option<Match<'_>> {
        let of = |entries: &'_ [Entry]| entries.iter().position(|entry| entry.test.holds(head));
        if !self.exact.is_empty()
            && let Some(entries) = self.exact.get(head.path)
            && let Some(at) = of(entries)
        {
            return Some(entries[at].as_match());
        }
        let mut at = 0;
        let mut pattern = None;
        let mut rest = head.path;
        loop {
            self.nodes[at].find_pattern(head, &mut pattern);
            let Some((element, after)) = next_element(rest) else {
                break;
            };
            match self.nodes[at].children.get(element) {
                Some(child) => (at, rest) = (*child, after),
                None => break,
            }
        }
        if let Some(found) = pattern {
            return Some(found.entry.as_match());
        }
        // The deepest prefix is the longest: back the way we came.
        loop {
            let node = &self.nodes[at];
            if let Some(found) = of(&node.prefixes) {
                return Some(node.prefixes[found].as_match());
            }
            if at == 0 {
                return None;
            }
            at = node.parent;
        }
    }
}

/// The first element of `/element/…` and what follows it; `None` at the end of the path.
fn next_element(path: &str) -> Option<(&str, &str)> {
    let path = path.get(1..)?;
    let end = path.bytes().position(|byte| byte == b'/');
    Some(path.split_at(end.unwrap_or(path.len())))
}

impl Node {
    /// Puts the best of this node's expressions into `best` if it beats what is there.
    fn find_pattern<'t>(&'t self, head: &RequestHead<'_>, best: &mut Option<&'t PatternEntry>) {
        // In order of rank, so that the first that matches is this node's best.
        let found = self
            .patterns
            .iter()
            .take_while(|p| best.is_none_or(|b| p.rank < b.rank))
            .find(|p| p.regex.is_match(head.path.as_bytes()) && p.entry.test.holds(head));
        *best = found.or(*best);
    }
}

impl Entry {
    fn as_match(&self) -> Match<'_> {
        Match {
            rule: &self.rule,
            prefix: self.prefix,
        }
    }
}
