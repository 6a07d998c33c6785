//! Files of configuration out of what other systems export: Nacos, Apollo, Consul, and our own bundles.
//!
//! ```text
//! folder, archive, file ──▶ entries ──Source──▶ File: which name it gets here, its bytes, where it was
//!                                        └────▶ Skipped: what is not taken over, and why
//! ```
//!
//! Pure: who unpacks archives and writes documents is elsewhere. What a source says in a way of its own becomes a name
//! by documented rules ([`Options`]); two entries that come to one name are refused, since none may be lost unseen.

mod apollo;
mod consul;
mod guildhall;
mod nacos;
mod options;
mod set;
mod source;
mod spring;

use bytes::Bytes;

use super::{Format, bundle::About, bundle::IndexError};

pub use options::{ENVIRONMENTS, Naming, Options};
pub use source::{Source, Unknown, UnknownSource};

/// One file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands, with `/` between the parts.
    pub path: String,
    /// Its bytes.
    pub content: Bytes,
}

/// A file of configuration, as it is to be here.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// `{service}/{environment}/{file}`.
    pub name: String,
    /// How it is written, where the source says so and the name does not.
    pub format: Option<Format>,
    /// Its bytes.
    pub content: Bytes,
    /// What else the document says; `None` where the source does not know of such: what is there stays.
    pub about: Option<About>,
    /// Where it was: an entry of the export, or a key.
    pub origin: String,
}

/// Something that is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where it was.
    pub origin: String,
    /// Why.
    pub why: String,
}

/// What an export comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// The files; what others are laid over goes first.
    pub files: Vec<File>,
    /// What is left out.
    pub skipped: Vec<Skipped>,
}

/// An export that cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// An entry that is not what the source would write.
    #[error("{entry}: {why}")]
    Entry {
        /// Which.
        entry: String,
        /// What is in the way.
        why: String,
    },
    /// Two entries of one name.
    #[error(
        "{first} and {second} both come to {name}; name them apart with --service, --environment or --naming plain, or \
         take one of them out"
    )]
    Twice {
        /// The name.
        name: String,
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// Our own index.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl ImportError {
    fn entry(entry: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Entry {
            entry: entry.into(),
            why: why.to_string(),
        }
    }
}

impl Source {
    /// What the files of an export of this source are here.
    ///
    /// # Errors
    /// It is no such export, or two of its entries come to one name.
    pub fn read(self, entries: &[Entry], options: &Options) -> Result<Import, ImportError> {
        match self {
            Self::Guildhall => guildhall::read(entries, options),
            Self::Nacos => nacos::read(entries, options),
            Self::Apollo => apollo::read(entries, options),
            Self::Consul => consul::read(entries, options),
        }
    }
}
