//! Wire types of the native API and its client.
