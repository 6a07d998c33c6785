//! The spec alone: what is refused, and with which remedy.
