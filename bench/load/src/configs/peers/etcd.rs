//! etcd as it is used for configuration: a file is a key, its content the value. It knows no formats, keeps no authors,
//! and lays nothing over anything. It is spoken to through its JSON gateway, whose work is part of its figures.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use super::{Configs, Found, Listening, Running, Streams};
use crate::configs::release::{Contents, Release, file};
use crate::etcd;
use crate::http::{base64, with_body};

struct Etcd {
    program: PathBuf,
    contents: Contents,
}

/// etcd, if it is installed.
pub(super) fn find() -> Result<Found> {
    let program = etcd::find()?;
    let version = etcd::version(&program);
    let contents = Contents::new();
    Ok((version, Arc::new(Etcd { program, contents })))
}

fn key(number: u64) -> String {
    base64(format!("configs/orders/prod/{}", file(number)).as_bytes())
}

fn post(path: &str, body: &str, into: &mut Vec<u8>) {
    with_body(into, "POST", path, "application/json", body);
}

impl Configs for Etcd {
    fn start(&self, dir: &Path) -> Result<Running> {
        let (server, address) = etcd::start(&self.program, dir, Vec::new())?;
        Ok(Running { server, address })
    }

    fn outlives(&self) -> &'static str {
        "a power cut"
    }

    fn publish(&self, release: Release, into: &mut Vec<u8>) {
        let (key, value) = (key(release.file), self.contents.base64(release));
        let body = format!(r#"{{"key":"{key}","value":"{value}"}}"#);
        post("/v3/kv/put", &body, into);
    }

    fn read(&self, file: u64, into: &mut Vec<u8>) {
        let body = format!(r#"{{"key":"{}"}}"#, key(file));
        post("/v3/kv/range", &body, into);
    }

    fn needle(&self, release: Release) -> Vec<u8> {
        base64(release.mark().as_bytes()).into_bytes()
    }

    fn listening(&self) -> Listening<'_> {
        Listening::Stream(self)
    }
}

impl Streams for Etcd {
    fn stream(&self, file: u64, _listener: u64, into: &mut Vec<u8>) {
        let body = format!(r#"{{"create_request":{{"key":"{}"}}}}"#, key(file));
        post("/v3/watch", &body, into);
    }
}
