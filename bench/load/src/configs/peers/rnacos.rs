//! rnacos through the Nacos v1 API. It answers a publish when its log has been written, not synced: no setting of it
//! makes it sync. Its listeners poll; who is answered reads the file, as Nacos' own clients do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::{Configs, Found, Listening, LongPolls, Running};
use crate::configs::release::{Contents, Release, file};
use crate::http::get;
use crate::rnacos;
use crate::server;

/// Where configuration is read and published.
const PATH: &str = "/nacos/v1/cs/configs";
const FORM: &str = "application/x-www-form-urlencoded";

struct Rnacos {
    program: PathBuf,
    contents: Contents,
}

/// rnacos, if it is installed.
pub(super) fn find() -> Result<Found> {
    let program = rnacos::find()?;
    let version = rnacos::version(&program);
    let contents = Contents::new();
    Ok((version, Arc::new(Rnacos { program, contents })))
}

fn name(number: u64) -> String {
    format!("dataId={}&group=orders", file(number))
}

impl Configs for Rnacos {
    fn start(&self, dir: &Path) -> Result<Running> {
        let (server, address) = rnacos::start(&self.program, dir)?;
        Ok(Running { server, address })
    }

    fn outlives(&self) -> &'static str {
        "the process"
    }

    fn publish(&self, release: Release, into: &mut Vec<u8>) {
        let (name, content) = (name(release.file), self.contents.form(release));
        let body = format!("{name}&type=yaml&content={content}");
        crate::http::with_body(into, "POST", PATH, FORM, &body);
    }

    fn read(&self, file: u64, into: &mut Vec<u8>) {
        get(into, &format!("{PATH}?{}", name(file)));
    }

    fn needle(&self, release: Release) -> Vec<u8> {
        release.mark().into_bytes()
    }

    fn listening(&self) -> Listening<'_> {
        Listening::LongPoll(self)
    }
}

impl LongPolls for Rnacos {
    fn poll(&self, number: u64, running: &Running) -> Result<Vec<u8>> {
        let reply = server::get(running.address, &format!("{PATH}?{}", name(number)))?;
        let mut lines = reply.lines();
        let digest = lines.find_map(|line| line.strip_prefix("content-md5: "));
        let digest = digest.context("a read was answered without a content-md5")?;
        // Name, group and digest, each ended by a byte 2, the last by a byte 1.
        let body = format!("Listening-Configs={}%02orders%02{digest}%01", file(number));
        // The longest that rnacos waits.
        let poll = format!(
            "POST {PATH}/listener HTTP/1.1\r\nhost: localhost\r\nlong-pulling-timeout: 120000\r\n\
             content-type: {FORM}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Ok(poll.into_bytes())
    }
}
