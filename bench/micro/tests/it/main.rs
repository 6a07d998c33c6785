//! Ours and peers on the same input: what they decide, not how fast.

mod limiter;
