//! How what a source names in its own way is named here.

use std::collections::BTreeMap;

/// Words that are taken for environments at the end of a name, unless others are given.
pub const ENVIRONMENTS: [&str; 19] = [
    "local",
    "dev",
    "development",
    "test",
    "testing",
    "qa",
    "sit",
    "fat",
    "uat",
    "beta",
    "stage",
    "staging",
    "pre",
    "preprod",
    "gray",
    "pro",
    "prd",
    "prod",
    "production",
];

/// By which convention a source's names are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// As Spring Cloud's clients do: `users-prod.yaml` is `users/prod/application.yaml`.
    #[default]
    Spring,
    /// As they stand: what is a file there is a file of that name here.
    Plain,
}

/// How what a source names in its own way is named here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// By which convention names are read.
    pub naming: Naming,
    /// Words that are environments where a convention has to guess.
    pub environments: Vec<String>,
    /// Consul's keys below this; what is elsewhere is skipped.
    pub prefix: Option<String>,
    /// Services that are named otherwise here; `_` for what all share.
    pub service_names: BTreeMap<String, String>,
    /// Environments that are named otherwise here; `_` for what all share.
    pub environment_names: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            naming: Naming::default(),
            environments: ENVIRONMENTS.map(str::to_owned).into(),
            prefix: None,
            service_names: BTreeMap::new(),
            environment_names: BTreeMap::new(),
        }
    }
}

impl Options {
    /// What a service of the source is called here.
    pub(super) fn service<'a>(&'a self, service: &'a str) -> &'a str {
        named(&self.service_names, service).unwrap_or(service)
    }

    /// What an environment of the source is called here.
    pub(super) fn environment<'a>(&'a self, environment: &'a str) -> &'a str {
        named(&self.environment_names, environment).unwrap_or(environment)
    }

    /// Whether a word is an environment: one of the known ones, or one that is mapped.
    pub(super) fn is_environment(&self, word: &str) -> bool {
        named(&self.environment_names, word).is_some()
            || self
                .environments
                .iter()
                .any(|known| known.eq_ignore_ascii_case(word))
    }
}

/// Case does not count: Apollo writes all environments in capitals, whatever they were called.
fn named<'a>(names: &'a BTreeMap<String, String>, word: &str) -> Option<&'a str> {
    let found = names
        .iter()
        .find(|(from, _)| from.eq_ignore_ascii_case(word));
    found.map(|(_, to)| to.as_str())
}
