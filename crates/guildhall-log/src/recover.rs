//! What is promised after a power loss, and why it holds.
