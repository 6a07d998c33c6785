//! Resilience rules as pure state machines.
