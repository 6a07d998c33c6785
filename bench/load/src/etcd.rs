//! etcd, Debian's, one member, spoken to through its JSON gateway.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::http::{base64, with_body};
use crate::program;
use crate::server::{Launch, Server, answers, free_address};

/// The program.
pub(crate) fn find() -> Result<PathBuf> {
    program::find("etcd").context("etcd is not installed")
}

/// Its version, for the report.
pub(crate) fn version(program: &Path) -> String {
    program::version(program, "--version")
}

/// Starts a member on the data in `dir`, under a wrapper where one is given.
pub(crate) fn start(
    program: &Path,
    dir: &Path,
    wrapper: Vec<OsString>,
) -> Result<(Server, SocketAddr)> {
    let clients = free_address()?;
    let peers = format!("http://{}", free_address()?);
    let launch = Launch::new(program, dir)
        .under(wrapper)
        .args(["--data-dir"])
        .args([dir.join("data")])
        .args([
            "--name",
            "bench",
            "--log-level",
            "error",
            "--quota-backend-bytes",
            "4294967296",
        ])
        .args([
            "--listen-client-urls".to_owned(),
            format!("http://{clients}"),
        ])
        .args([
            "--advertise-client-urls".to_owned(),
            format!("http://{clients}"),
        ])
        .args(["--listen-peer-urls".to_owned(), peers.clone()])
        .args(["--initial-advertise-peer-urls".to_owned(), peers.clone()])
        .args(["--initial-cluster".to_owned(), format!("bench={peers}")]);
    Ok((launch.start(|| answers(clients, "/health"))?, clients))
}

/// Writes the grant of a lease of so many seconds under an id that the client chose.
pub(crate) fn grant(into: &mut Vec<u8>, lease: u64, ttl: u64) {
    let body = format!(r#"{{"ID":"{lease}","TTL":"{ttl}"}}"#);
    with_body(into, "POST", "/v3/lease/grant", "application/json", &body);
}

/// Writes a put of one key, under a lease where one is given.
pub(crate) fn put(into: &mut Vec<u8>, key: &str, value: &[u8], lease: Option<u64>) {
    let lease = lease.map_or_else(String::new, |lease| format!(r#","lease":"{lease}""#));
    let body = format!(
        r#"{{"key":"{}","value":"{}"{lease}}}"#,
        base64(key.as_bytes()),
        base64(value)
    );
    with_body(into, "POST", "/v3/kv/put", "application/json", &body);
}

/// Writes a range over all keys under a prefix that ends in `/` (the range's end is the prefix with `0` after it, the
/// next sign in ASCII).
pub(crate) fn range(into: &mut Vec<u8>, prefix: &str) {
    let (key, end) = bounds(prefix);
    let body = format!(r#"{{"key":"{key}","range_end":"{end}"}}"#);
    with_body(into, "POST", "/v3/kv/range", "application/json", &body);
}

/// Writes a watch of all keys under a prefix that ends in `/`.
pub(crate) fn watch(into: &mut Vec<u8>, prefix: &str) {
    let (key, end) = bounds(prefix);
    let body = format!(r#"{{"create_request":{{"key":"{key}","range_end":"{end}"}}}}"#);
    with_body(into, "POST", "/v3/watch", "application/json", &body);
}

fn bounds(prefix: &str) -> (String, String) {
    let end = format!("{}0", prefix.trim_end_matches('/'));
    (base64(prefix.as_bytes()), base64(end.as_bytes()))
}
