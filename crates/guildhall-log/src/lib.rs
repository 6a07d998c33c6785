//! The one durable primitive: a segmented, checksummed, group-committed append log.
