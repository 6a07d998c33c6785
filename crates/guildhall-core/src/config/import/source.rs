//! Which system an export comes from, and how that is told from its files.

use std::{fmt, str::FromStr};

use super::{Entry, apollo, consul, guildhall, nacos};

/// Which system an export comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Our own, or a folder with files at `{service}/{environment}/{file}`.
    Guildhall,
    /// Alibaba Nacos: the console's export, of both versions.
    Nacos,
    /// Ctrip Apollo: the portal's export.
    Apollo,
    /// HashiCorp Consul: `consul kv export`.
    Consul,
}

/// A word that names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no source of an import: use guildhall, nacos, apollo or consul")]
pub struct UnknownSource(pub String);

/// An export of which it cannot be told where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// It has nothing that any source writes.
    #[error("nothing in it tells where it comes from")]
    None,
    /// Several sources write such.
    #[error("it could be of {}", .0.iter().map(|source| source.name()).collect::<Vec<_>>().join(" or "))]
    Several(Vec<Source>),
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Guildhall, Self::Nacos, Self::Apollo, Self::Consul];

    /// Its name: `nacos`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guildhall => "guildhall",
            Self::Nacos => "nacos",
            Self::Apollo => "apollo",
            Self::Consul => "consul",
        }
    }

    /// Which source an export is of, with what tells it.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn guess(entries: &[Entry]) -> Result<(Self, &'static str), Unknown> {
        let told = [
            (Self::Guildhall, guildhall::sign(entries)),
            (Self::Nacos, nacos::sign(entries)),
            (Self::Apollo, apollo::sign(entries)),
            (Self::Consul, consul::sign(entries)),
        ];
        let mut found = told
            .into_iter()
            .filter_map(|(source, sign)| sign.map(|sign| (source, sign)));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(Unknown::None),
            (Some(one), Some(two)) => {
                let more = found.map(|(source, _)| source);
                Err(Unknown::Several(
                    [one.0, two.0].into_iter().chain(more).collect(),
                ))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        Self::ALL
            .into_iter()
            .find(|source| source.name() == text)
            .ok_or_else(|| UnknownSource(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(entries: &[(&str, &str)]) -> Result<Source, Unknown> {
        let entries: Vec<Entry> = entries
            .iter()
            .map(|(path, content)| Entry {
                path: (*path).to_owned(),
                content: (*content).to_owned().into(),
            })
            .collect();
        Source::guess(&entries).map(|(source, _)| source)
    }

    #[test]
    fn each_source_has_its_signs() {
        for (entries, expect) in [
            (
                &[
                    ("guildhall.json", "{\"kind\": \"ConfigBundle\"}"),
                    ("a/_/b", ""),
                ][..],
                Ok(Source::Guildhall),
            ),
            (&[("users/prod/app.yaml", "a: 1")], Ok(Source::Guildhall)),
            (
                &[("DEFAULT_GROUP/a.yaml", ""), (".metadata.yml", "")],
                Ok(Source::Nacos),
            ),
            (&[("DEFAULT_GROUP/a.yaml", "")], Ok(Source::Nacos)),
            (
                &[("a/DEV/a+default+application.properties", "[]")],
                Ok(Source::Apollo),
            ),
            (
                &[
                    ("o/a/DEV/a+default+application.properties", "[]"),
                    ("o/a/app.metadata", "{}"),
                ],
                Ok(Source::Apollo),
            ),
            (
                &[(
                    "kv.json",
                    r#"[{"key": "config/a/b", "flags": 0, "value": "eA=="}]"#,
                )],
                Ok(Source::Consul),
            ),
            (&[("notes.txt", "[]")], Err(Unknown::None)),
            (&[], Err(Unknown::None)),
        ] {
            assert_eq!(guess(entries), expect, "{entries:?}");
        }
    }
}
