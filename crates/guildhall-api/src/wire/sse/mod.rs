//! Server-sent events (the HTML standard, section 9.2), both directions.

mod decode;
mod encode;

pub use decode::{Decoder, Frame, TooLong};
pub use encode::{COMMENT, encode};

/// The content type of an event stream.
pub const EVENT_STREAM: &str = "text/event-stream";
