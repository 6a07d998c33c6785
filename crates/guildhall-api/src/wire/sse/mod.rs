//! Server-sent events (the HTML standard, section 9.2), both directions.

mod decode;
mod encode;

pub use decode::{Decoder, Frame, TooLong};
pub use encode::{COMMENT, encode};

/// The content type of an event stream.
pub const EVENT_STREAM: &str = "text/event-stream";

/// How often at least a server writes something, if only [`COMMENT`]: a reader takes a stream for
/// dead after three times that.
pub const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(15);
