//! Many files of configuration outside the platform: a folder or an archive.
//!
//! ```text
//! guildhall.json            what names and bytes do not say (Index)
//! users/prod/app.yaml       {service}/{environment}/{file}: the bytes as they were written
//! ```
//!
//! Names become paths that every file system takes, and can be told from each other on those that do not heed case
//! ([`paths`], [`name_of`]). Pure: who reads and writes the files is elsewhere.

mod index;
mod paths;

pub use index::{About, INDEX, Index, IndexError};
pub use paths::{PathError, name_of, paths};
