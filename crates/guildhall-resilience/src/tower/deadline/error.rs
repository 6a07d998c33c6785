//! How a request ends whose time ran out.

use std::fmt;

use crate::deadline::Expiry;

/// Time ran out before there was an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// Whose time.
    pub expiry: Expiry,
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.expiry {
            Expiry::Attempt => "no answer within an attempt's timeout",
            Expiry::Request => "no answer within the request's timeout",
            Expiry::CutShort => "the request's timeout was over before the attempt had its time",
            Expiry::Inherited => "the deadline that came with the request is over",
        })
    }
}

impl std::error::Error for Expired {}
