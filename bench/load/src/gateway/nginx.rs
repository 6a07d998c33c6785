//! nginx, bare and doing the work that Guildhall does on every request: a request id, forwarded headers, an access log.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Peer, Proxy};
use crate::program;
use crate::server::{Launch, answers, free_address};
use crate::site::SERVER_CORE;

/// The peer's name that other figures are ratios to.
pub(super) const BARE: &str = "nginx, bare";

/// nginx that only proxies.
pub(super) fn bare() -> Result<Peer> {
    peer(BARE, "access_log off;", "")
}

/// nginx that also does what Guildhall does. The log is buffered, as a busy site would have it.
pub(super) fn same_work() -> Result<Peer> {
    peer(
        "nginx, same work",
        "log_format full '$remote_addr - [$time_iso8601] \"$request\" $status $body_bytes_sent $request_time \
         $upstream_response_time $upstream_addr $request_id \"$http_user_agent\"';\n\
         access_log access.log full buffer=32k flush=1s;",
        "proxy_set_header X-Request-ID $request_id;\n\
         add_header X-Request-ID $request_id;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
         proxy_set_header X-Forwarded-Proto $scheme;\n\
         proxy_set_header X-Forwarded-Host $host;",
    )
}

fn peer(name: &'static str, log: &'static str, headers: &'static str) -> Result<Peer> {
    let program = program::find("nginx").context("nginx is not installed")?;
    Ok(Peer {
        name,
        version: program::version(&program, "-v"),
        start: Box::new(move |dir: &Path, upstream: SocketAddr| {
            let address = free_address()?;
            let config = config(&format!(
                "{log}\n\
                 upstream backend {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}\n\
                 server {{\n listen {address};\n location / {{\n proxy_pass http://backend;\n\
                 proxy_http_version 1.1;\n proxy_set_header Connection \"\";\n{headers}\n}}\n}}"
            ));
            Ok(Proxy {
                server: launch(&program, dir, &config)?
                    .pin(SERVER_CORE)
                    .start(|| answers(address, "/"))?,
                address,
                _beside: Vec::new(),
            })
        }),
    })
}

/// A whole configuration around the `http` block's contents: one process in the foreground that keeps connections.
pub(super) fn config(http: &str) -> String {
    format!(
        "daemon off;\nmaster_process off;\nworker_processes 1;\npid nginx.pid;\nerror_log error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\nkeepalive_requests 1000000000;\nkeepalive_timeout 1h;\n\
         client_body_temp_path tmp-body;\nproxy_temp_path tmp-proxy;\nfastcgi_temp_path tmp-fastcgi;\n\
         uwsgi_temp_path tmp-uwsgi;\nscgi_temp_path tmp-scgi;\n{http}\n}}\n"
    )
}

/// How nginx is started on a configuration, with every file of its own in `dir`.
pub(super) fn launch(program: &Path, dir: &Path, config: &str) -> Result<Launch> {
    let file = dir.join("nginx.conf");
    std::fs::write(&file, config)?;
    let mut prefix = dir.as_os_str().to_owned();
    prefix.push("/");
    Ok(Launch::new(program, dir)
        .args(["-p".into(), prefix])
        .args(["-c".into(), file]))
}
