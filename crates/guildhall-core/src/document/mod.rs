//! What every document has in common, whatever it describes.
//!
//! A document is `{apiVersion, kind, metadata, spec, status}`. [`Object`] is one with its spec
//! typed; [`Document`] is any of them behind an `Arc`, which is what snapshots hold and watches
//! carry. A new kind is one line in [`any`]'s table and a type that implements [`Spec`].

mod any;
mod body;
mod index;
mod key;
mod kind;
pub(crate) mod lenient;
mod metadata;
mod name;
mod object;
mod period;
mod problem;
mod selector;
mod shared_text;
mod strict;
mod string_map;
mod timestamp;

pub use any::Document;
pub use body::Body;
pub use index::{Index, IndexError};
pub use key::{DocumentKey, KeyPart, LIVE, SPEC, STATUS};
pub use kind::Kind;
pub use lenient::{Remedies, Remedy, read};
pub use metadata::Metadata;
pub use name::{InstanceId, Name, NameError, Namespace, ServiceName, VersionName};
pub use object::{API_VERSION, Object, Spec};
pub use period::{Period, PeriodError};
pub use problem::{FieldProblem, Pointer, Problems};
pub use selector::{Selector, SelectorError};
pub use shared_text::SharedText;
pub use strict::{decode, nearest};
pub use string_map::StringMap;
pub use timestamp::Timestamp;
