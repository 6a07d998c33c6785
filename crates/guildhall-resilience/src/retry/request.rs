//! What has to be known of a request before it may be sent twice.

/// Whether doing it twice is doing it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Idempotency {
    /// A second one changes nothing more.
    Idempotent,
    /// Not known to be.
    Unknown,
}

impl Idempotency {
    /// By the method, as RFC 9110, section 9.2.2 has it. Methods are told apart by case; one that is not known is not
    /// idempotent.
    ///
    /// A request with an `Idempotency-Key` that its service honours is [`Idempotent`](Self::Idempotent) whatever its
    /// method; that is for the caller to say.
    pub fn of_method(method: &str) -> Self {
        match method {
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE" => Self::Idempotent,
            _ => Self::Unknown,
        }
    }
}

/// Whether the body can be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// There is none: it can, always.
    Empty,
    /// It is held in memory until the request is over: it can.
    Held,
    /// It is passed on as it comes, and what has gone is gone: it cannot.
    Streamed,
}
