//! The name of a file of configuration: `{service}/{environment}/{file}`.

use std::fmt;

use crate::document::{NameError, ServiceName, VersionName};

/// Stands for "all" in the place of a service or an environment.
pub const SHARED: &str = "_";

/// Whose file, where, and which: the parts of a Config's name.
///
/// `_` as service or environment means that all share the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConfigName<'a> {
    /// The service, or `_`.
    pub service: &'a str,
    /// The environment (`prod`), or `_`.
    pub environment: &'a str,
    /// The file (`app.yaml`).
    pub file: &'a str,
}

impl<'a> ConfigName<'a> {
    /// Takes a name apart.
    ///
    /// # Errors
    /// A part that breaks the rule of its names; [`NameError::Empty`] for one that is missing.
    pub fn parse(name: &'a str) -> Result<Self, NameError> {
        let mut parts = name.splitn(3, '/').fuse();
        let mut next = || parts.next().unwrap_or_default();
        let (service, environment, file) = (next(), next(), next());
        for owner in [service, environment] {
            if owner != SHARED {
                ServiceName::check(owner)?;
            }
        }
        // Files and versions are named alike: 1 to 253 of `[A-Za-z0-9._:#@+-]`.
        VersionName::check(file)?;
        Ok(Self {
            service,
            environment,
            file,
        })
    }

    /// Whether it is the name of a JSON Schema, which other files may refer to.
    pub fn is_schema(self) -> bool {
        [".schema.json", ".schema.yaml", ".schema.yml"]
            .iter()
            .any(|end| self.file.ends_with(end))
    }

    /// The names of what a reader of this file gets, the most general first: what all share, what the service has
    /// everywhere, what all share in the environment, and the file itself. The later wins, as with Spring Cloud
    /// Config's files and profiles.
    pub fn inputs(self) -> Vec<Self> {
        let Self {
            service,
            environment,
            file,
        } = self;
        let all = [
            (SHARED, SHARED),
            (service, SHARED),
            (SHARED, environment),
            (service, environment),
        ];
        let mut names: Vec<Self> = Vec::with_capacity(all.len());
        for (service, environment) in all {
            let name = Self {
                service,
                environment,
                file,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl fmt::Display for ConfigName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.service, self.environment, self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_three_parts() {
        for good in [
            "users/prod/app.yaml",
            "_/prod/app.yaml",
            "_/_/a",
            "Users/_/b.c",
        ] {
            assert_eq!(
                ConfigName::parse(good)
                    .map(|name| name.to_string())
                    .as_deref(),
                Ok(good)
            );
        }
        for bad in [
            "",
            "users",
            "users/prod",
            "users/prod/",
            "/prod/a",
            "users/prod/a/b",
            "users/prod/_ ",
        ] {
            assert!(ConfigName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn inputs_go_from_the_general_to_the_special_and_stand_once() {
        let inputs = |name: &'static str| -> Vec<String> {
            let name = ConfigName::parse(name).unwrap();
            name.inputs().iter().map(ConfigName::to_string).collect()
        };
        assert_eq!(
            inputs("users/prod/a"),
            ["_/_/a", "users/_/a", "_/prod/a", "users/prod/a"]
        );
        assert_eq!(inputs("users/_/a"), ["_/_/a", "users/_/a"]);
        assert_eq!(inputs("_/_/a"), ["_/_/a"]);
    }
}
