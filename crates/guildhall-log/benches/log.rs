//! Appends a second.
fn main() {}
