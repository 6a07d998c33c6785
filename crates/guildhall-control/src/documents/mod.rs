//! Documents of every kind: read, list, write, delete.
//!
//! The write path, in the order in which a document passes: `authorize` → `validate` → compare and
//! set ([`write`]), with the version that the
//! write becomes where a [history](crate::history) is kept → audit. What comes after the commit is the view's.

mod delete;
mod handle;
mod list;
mod options;
mod pages;
mod precondition;
mod validate;
pub(crate) mod write;

pub use handle::Documents;
pub use list::{ListQuery, Listed};
pub use options::{DocumentOptions, WriteOptions};
pub use precondition::Precondition;
pub use write::Written;

pub(crate) use delete::{delete, removal, timeline_of};
pub(crate) use pages::Pages;
