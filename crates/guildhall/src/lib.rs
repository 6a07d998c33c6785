//! The SDK: what a service author adds to be governed by Guildhall.
