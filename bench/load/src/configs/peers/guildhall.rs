//! Guildhall's native API. Listeners say which instance they are, so each has its row in the listeners' table.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};

use super::{Configs, Found, Listening, Running, Streams};
use crate::configs::release::{Contents, Release, file};
use crate::guildhall;
use crate::http::{get, with_body};
use crate::options::Options;

struct Guildhall {
    binary: PathBuf,
    contents: Contents,
}

/// The binary under test, if it is there.
pub(super) fn find(options: &Options) -> Result<Found> {
    let binary = guildhall::binary(options)
        .context("guildhall is not built (cargo build --release --package guildhall-server)")?;
    let version = guildhall::version(&binary);
    let contents = Contents::new();
    Ok((version, Arc::new(Guildhall { binary, contents })))
}

fn path(number: u64) -> String {
    format!(
        "/api/v1/namespaces/default/configs/orders/prod/{}",
        file(number)
    )
}

impl Configs for Guildhall {
    fn start(&self, dir: &Path) -> Result<Running> {
        let node = guildhall::control(&self.binary, dir)?;
        Ok(Running {
            server: node.server,
            address: node.api,
        })
    }

    fn outlives(&self) -> &'static str {
        "a power cut"
    }

    fn publish(&self, release: Release, into: &mut Vec<u8>) {
        let path = path(release.file) + "/content";
        let content = self.contents.plain(release);
        with_body(into, "PUT", &path, "application/yaml", &content);
    }

    fn read(&self, file: u64, into: &mut Vec<u8>) {
        get(into, &(path(file) + "/content"));
    }

    fn read_laid_over(&self, file: u64, into: &mut Vec<u8>) -> bool {
        get(into, &(path(file) + "/effective"));
        true
    }

    fn needle(&self, release: Release) -> Vec<u8> {
        release.mark().into_bytes()
    }

    fn listening(&self) -> Listening<'_> {
        Listening::Stream(self)
    }
}

impl Streams for Guildhall {
    fn stream(&self, file: u64, listener: u64, into: &mut Vec<u8>) {
        let path = path(file);
        get(
            into,
            &format!("{path}/effective?watch=true&instance=orders-{listener:05}"),
        );
    }
}
