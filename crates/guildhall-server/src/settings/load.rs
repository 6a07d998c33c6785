//! Reads the layers: each later one overrides what an earlier one said, and everything wrong is said at once.

use std::path::PathBuf;

use guildhall_core::document::nearest;

use super::{Finding, Given, Loaded, Settings, SettingsError, Source, validate};

/// The environment variables that are settings begin with this.
const PREFIX: &str = "GUILDHALL__";

/// A setting given on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    /// As the user wrote it, for messages: `--api-listen`.
    pub(crate) flag: String,
    /// `section.key`.
    pub(crate) setting: String,
    /// Its text.
    pub(crate) text: String,
}

/// What settings are read from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    /// The settings file and its text.
    pub(crate) file: Option<(PathBuf, String)>,
    /// Environment variables, of which those named `GUILDHALL__…` are read.
    pub(crate) environment: Vec<(String, String)>,
    /// Flags of the command line.
    pub(crate) flags: Vec<Flag>,
}

impl Layers {
    /// The layers of a running process: the file at `config`, its environment and `flags`.
    pub(crate) fn of_process(
        config: Option<PathBuf>,
        flags: Vec<Flag>,
    ) -> Result<Self, SettingsError> {
        let file = match config {
            None => None,
            Some(path) => match std::fs::read_to_string(&path) {
                Ok(text) => Some((path, text)),
                Err(cause) => return Err(SettingsError::Unreadable { path, cause }),
            },
        };
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Self {
            file,
            environment,
            flags,
        })
    }

    /// Reads and validates them.
    pub(crate) fn load(&self) -> Result<Loaded, SettingsError> {
        let mut reading = Reading::default();
        if let Some((path, text)) = &self.file {
            let table: toml::Table = text.parse().map_err(|cause| SettingsError::NotToml {
                path: path.clone(),
                detail: not_toml(text, &cause),
            })?;
            reading.file(path, table);
        }
        for (name, value) in &self.environment {
            if let Some(rest) = name.strip_prefix(PREFIX) {
                reading.variable(name, rest, value);
            }
        }
        for Flag {
            flag,
            setting,
            text,
        } in &self.flags
        {
            let (section, key) = setting.split_once('.').unwrap_or((setting, ""));
            reading.assign(
                section,
                key,
                &Given::Text(text.clone()),
                Source::Flag(flag.clone()),
            );
        }
        let Reading {
            loaded,
            mut findings,
        } = reading;
        // What does not parse keeps its default, so that judging it together with others would mislead.
        if findings.is_empty() {
            findings = validate::findings(&loaded);
        }
        if findings.is_empty() {
            Ok(loaded)
        } else {
            Err(SettingsError::Wrong(findings))
        }
    }
}

/// Where `text` is not TOML, and why. The error's own words quote the line, which may hold a secret.
pub(crate) fn not_toml(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map_or(0, |span| {
        text[..span.start.min(text.len())].lines().count().max(1)
    });
    format!("line {line}: {}", error.message())
}

#[derive(Default)]
struct Reading {
    loaded: Loaded,
    findings: Vec<Finding>,
}

impl Reading {
    fn file(&mut self, path: &std::path::Path, table: toml::Table) {
        let source = Source::File(path.to_owned());
        for (section, value) in table {
            match value {
                toml::Value::Table(settings)
                    if Settings::sections()
                        .iter()
                        .any(|(name, _)| *name == section) =>
                {
                    for (key, value) in settings {
                        self.assign(&section, &key, &Given::Toml(value), source.clone());
                    }
                }
                _ => self.unknown(&section, source.clone()),
            }
        }
    }

    fn variable(&mut self, name: &str, rest: &str, value: &str) {
        let lower = rest.to_lowercase();
        let (section, key) = lower.split_once("__").unwrap_or((&lower, ""));
        self.assign(
            section,
            key,
            &Given::Text(value.to_owned()),
            Source::Environment(name.to_owned()),
        );
    }

    fn assign(&mut self, section: &str, key: &str, given: &Given, source: Source) {
        let setting = format!("{section}.{key}");
        match self.loaded.settings.assign(section, key, given) {
            Some(Ok(())) => {
                self.loaded.sources.insert(setting, source);
            }
            Some(Err(detail)) => self.findings.push(Finding {
                setting,
                source,
                detail,
            }),
            None => self.unknown(setting.trim_end_matches('.'), source),
        }
    }

    /// Notes a setting that does not exist, with the nearest that does.
    fn unknown(&mut self, setting: &str, source: Source) {
        let fields = Settings::fields();
        let paths: Vec<String> = fields.iter().map(super::Field::path).collect();
        let sections: Vec<&str> = Settings::sections().iter().map(|(name, _)| *name).collect();
        let section = setting.split('.').next().unwrap_or_default();
        let in_section: Vec<&str> = fields
            .iter()
            .filter(|f| f.section == section)
            .map(|f| f.key)
            .collect();
        // A section's settings are the likeliest; then the same key under another section; then any path.
        let key = setting.split_once('.').map_or("", |(_, key)| key);
        let near = nearest(key, in_section.iter().copied())
            .map(|key| format!("{section}.{key}"))
            .or_else(|| {
                fields
                    .iter()
                    .find(|f| f.key == key || f.key == setting)
                    .map(super::Field::path)
            })
            .or_else(|| nearest(setting, paths.iter().map(String::as_str)).map(str::to_owned))
            .or_else(|| {
                nearest(setting, sections.iter().copied()).map(|section| format!("[{section}]"))
            });
        let detail = match near {
            Some(near) => format!("unknown setting; did you mean {near}?"),
            None if !in_section.is_empty() => {
                format!("unknown setting; [{section}] has {}", in_section.join(", "))
            }
            None => format!("unknown setting; the sections are {}", sections.join(", ")),
        };
        self.findings.push(Finding {
            setting: setting.to_owned(),
            source,
            detail,
        });
    }
}
