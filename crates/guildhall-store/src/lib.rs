//! The Store trait, its embedded engine and a conformance suite for any engine.
