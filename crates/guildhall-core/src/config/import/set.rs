//! What an import comes to while it is read: each name once, what is skipped with its reason.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{File, Import, ImportError, Options, Skipped};
use crate::config::{ConfigName, Format, SHARED};

/// Files by name, while they are read.
pub(super) struct Set<'a> {
    options: &'a Options,
    files: BTreeMap<String, File>,
    skipped: Vec<Skipped>,
}

/// Where a file is to be, before names are mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) service: String,
    pub(super) environment: String,
    pub(super) file: String,
}

impl Place {
    pub(super) fn new(service: &str, environment: &str, file: &str) -> Self {
        Self {
            service: service.to_owned(),
            environment: environment.to_owned(),
            file: file.to_owned(),
        }
    }
}

impl<'a> Set<'a> {
    pub(super) fn new(options: &'a Options) -> Self {
        Self {
            options,
            files: BTreeMap::new(),
            skipped: Vec::new(),
        }
    }

    /// Leaves something out.
    pub(super) fn skip(&mut self, origin: &str, why: impl std::fmt::Display) {
        self.skipped.push(Skipped {
            origin: origin.to_owned(),
            why: why.to_string(),
        });
    }

    /// Adds a file at a place of the source, under the name it has here; one that can have none is left out.
    pub(super) fn add(
        &mut self,
        place: &Place,
        format: Option<Format>,
        content: Bytes,
        origin: &str,
    ) -> Result<(), ImportError> {
        let name = format!(
            "{}/{}/{}",
            self.options.service(&place.service),
            self.options.environment(&place.environment),
            place.file
        );
        let Ok(parsed) = ConfigName::parse(&name) else {
            let why = ConfigName::parse(&name).err();
            let why = why.map_or_else(String::new, |error| error.to_string());
            self.skip(
                origin,
                format_args!("no file here can be named {name}: {why}"),
            );
            return Ok(());
        };
        // What the name tells needs not be said.
        let format = format.filter(|format| Format::guess(parsed.file, None, &content) != *format);
        self.add_file(File {
            name,
            format,
            content,
            about: None,
            origin: origin.to_owned(),
        })
    }

    /// Adds a file as it is.
    pub(super) fn add_file(&mut self, file: File) -> Result<(), ImportError> {
        if let Some(other) = self.files.get(&file.name) {
            return Err(ImportError::Twice {
                name: file.name,
                first: other.origin.clone(),
                second: file.origin,
            });
        }
        self.files.insert(file.name.clone(), file);
        Ok(())
    }

    /// The import. What others are laid over, or checked against, goes first.
    pub(super) fn done(self) -> Import {
        let mut files: Vec<File> = self.files.into_values().collect();
        let rank = |file: &File| {
            let mut parts = file.name.split('/');
            let service = parts.next() != Some(SHARED);
            let environment = parts.next() != Some(SHARED);
            (usize::from(service) + usize::from(environment), environment)
        };
        files.sort_by_cached_key(rank);
        Import {
            files,
            skipped: self.skipped,
        }
    }
}
