//! spare
