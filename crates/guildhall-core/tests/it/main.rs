//! Behaviour of the pure crate through its public surface.
