//! Where a node listens, as a value and as `addresses.json` in its data directory.

use std::{io, net::SocketAddr, path::Path};

use serde::{Deserialize, Serialize};

/// The addresses that were taken; with port 0 in the settings these have the free ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Addresses {
    /// The native API.
    pub api: Option<SocketAddr>,
    /// Gateway traffic.
    pub gateway: Option<SocketAddr>,
}

/// The file's name.
pub(super) const FILE: &str = "addresses.json";

impl Addresses {
    /// Writes them to `DIR/addresses.json`, whole or not at all.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let beside = directory.join("addresses.json.new");
        std::fs::write(&beside, format!("{:#}\n", serde_json::json!(self)))?;
        std::fs::rename(beside, directory.join(FILE))
    }
}
