//! Who asks: tokens from a file, or anonymous where that is safe.
//!
//! [`file`] reads the token file, [`guard`] turns a request's headers into a principal and its grants. What a
//! principal may do is core's to decide (`guildhall_core::access::authorize`), in every handle.

mod file;
mod guard;

pub(crate) use file::{TokenFile, TokenFileError, Tokens};
pub(crate) use guard::{Guard, Principal};
