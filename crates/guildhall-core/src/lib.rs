//! Guildhall's documents, indexes and decisions: pure and synchronous.
