//! How long a request may take.

use crate::{document::Period, policy::described::section};

section! {
    /// How long a request may take. A deadline that came with the request (`grpc-timeout`, Envoy's expected timeout) is
    /// inherited and only ever shortened.
    Timeouts at "timeouts" {
        /// From the end of the client's request to the end of the answer, retries and all; `0s` is no limit.
        request "request": Period, default "(that of the settings of gateway or SDK)", from "HTTPRoute's `timeouts.request`",
            keeps "everything; requests under way keep their deadline";
        /// One attempt at one backend; `0s` is no limit. A breaker's round of probes is given as long, and 30 s at least.
        backend_request "backendRequest": Period, default "(that of the settings of gateway or SDK)", from "HTTPRoute's `timeouts.backendRequest`, Envoy's `per_try_timeout`",
            keeps "everything; attempts under way keep their limit, a breaker its state and window";
        /// How much of an inherited deadline is left for the answer's way back.
        deadline_margin "deadlineMargin": Period, default r#""0s""#, from "Guildhall",
            keeps "everything; requests under way keep their deadline";
    }
}
