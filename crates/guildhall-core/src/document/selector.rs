//! Label selectors, as Kubernetes writes them: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.

use std::{collections::BTreeMap, str::FromStr};

/// A conjunction of requirements on labels; the empty selector selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

/// Text that is not a selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a label selector: write a=b, a!=b, a in (b,c), a notin (b,c), a or !a, joined by commas"
)]
pub struct SelectorError(String);

impl Selector {
    /// Whether `labels` meet every requirement.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels.get(key).is_some_and(|v| values.contains(v)),
            Requirement::NotIn(key, values) => !labels.get(key).is_some_and(|v| values.contains(v)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::Missing(key) => !labels.contains_key(key),
        })
    }

    /// Whether everything is selected.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, SelectorError> {
        parts(text)
            .into_iter()
            .map(|part| requirement(part.trim()))
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or_else(|| SelectorError(text.to_owned()))
    }
}

/// Splits at commas outside parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !(parts.is_empty() && text.trim().is_empty()) {
        parts.push(&text[start..]);
    }
    parts
}

fn requirement(part: &str) -> Option<Requirement> {
    let key = |text: &str| {
        let text = text.trim();
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        (!text.is_empty() && text.chars().all(legal)).then(|| text.to_owned())
    };
    let set = |text: &str| {
        let inner = text.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|v| v.trim().to_owned()).collect())
    };
    if let Some((k, v)) = part.split_once("!=") {
        return Some(Requirement::NotIn(key(k)?, vec![v.trim().to_owned()]));
    }
    if let Some((k, v)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(Requirement::In(key(k)?, vec![v.trim().to_owned()]));
    }
    if let Some((k, v)) = part.split_once(" notin ") {
        return Some(Requirement::NotIn(key(k)?, set(v)?));
    }
    if let Some((k, v)) = part.split_once(" in ") {
        return Some(Requirement::In(key(k)?, set(v)?));
    }
    match part.strip_prefix('!') {
        Some(k) => Some(Requirement::Missing(key(k)?)),
        None => Some(Requirement::Exists(key(part)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(selector: &str, expect: bool) {
        let labels = [("team", "shop"), ("tier", "web")];
        let labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let parsed: Selector = selector.parse().unwrap();
        assert_eq!(parsed.matches(&labels), expect, "{selector}");
    }

    #[test]
    fn selectors_select_as_kubernetes_does() {
        check("", true);
        check("team=shop,tier!=db", true);
        check("team==bank", false);
        check("tier in (web, api), team", true);
        check("tier notin (web)", false);
        check("!team", false);
        check("zone!=a", true);
    }

    #[test]
    fn other_text_is_refused() {
        for bad in [",", "a=b,", "a in b", "a b", "(a)", "=b"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }
}
