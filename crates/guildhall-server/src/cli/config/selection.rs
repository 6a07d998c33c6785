//! Which files are meant: of a service, of a service in an environment, or single ones.

use guildhall_core::config::ConfigName;

use crate::cli::{Exit, Failure};

/// Which files are meant; all of them where nothing is said.
#[derive(Debug, Default)]
pub(super) struct Selection(Vec<String>);

impl Selection {
    /// Reads `SERVICE`, `SERVICE/ENVIRONMENT` and `SERVICE/ENVIRONMENT/FILE`.
    pub(super) fn parse(words: &[String]) -> Result<Self, Failure> {
        for word in words {
            let rest = ["", "/_/_", "/_", ""];
            let parts = word.split('/').count();
            let filled = rest.get(parts).map(|rest| format!("{word}{rest}"));
            let filled = filled.unwrap_or_default();
            ConfigName::parse(&filled).map_err(|error| {
                Failure::new(Exit::Usage, format!("{word:?} selects no files"))
                    .why(error)
                    .next("write SERVICE, SERVICE/ENVIRONMENT or SERVICE/ENVIRONMENT/FILE")
            })?;
        }
        Ok(Self(words.to_vec()))
    }

    /// Whether the file `name` is meant.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|word| is_of(word, name))
    }

    /// That each word selected something: a word that selects nothing is a slip of the hand.
    pub(super) fn all_found<'a>(
        &self,
        found: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), Failure> {
        let missing = |word: &&String| !found.clone().any(|name| is_of(word, name));
        match self.0.iter().find(missing) {
            None => Ok(()),
            Some(word) => Err(
                Failure::new(Exit::NotFound, format!("there is no file of {word}"))
                    .next("guildhall config list shows which there are"),
            ),
        }
    }
}

fn is_of(word: &str, name: &str) -> bool {
    let rest = name.strip_prefix(word);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_name_select_whole_parts() {
        let selection = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            Selection::parse(&words)
        };
        let some = selection(&["users", "_/prod", "a/_/app.yaml"]).unwrap();
        for (name, expect) in [
            ("users/prod/app.yaml", true),
            ("users2/prod/app.yaml", false),
            ("_/prod/app.yaml", true),
            ("_/_/app.yaml", false),
            ("a/_/app.yaml", true),
            ("a/_/app.yaml2", false),
        ] {
            assert_eq!(some.has(name), expect, "{name}");
        }
        assert!(selection(&[]).unwrap().has("users/prod/app.yaml"));
        for bad in ["", "a/", "a/b/c/d", "a b"] {
            assert!(selection(&[bad]).is_err(), "{bad}");
        }
        let found = ["users/_/a"];
        let missing = selection(&["users", "b"])
            .unwrap()
            .all_found(found.into_iter());
        assert!(missing.unwrap_err().to_string().contains("no file of b"));
    }
}
