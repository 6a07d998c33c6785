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
        let (beside, file) = (directory.join("addresses.json.new"), directory.join(FILE));
        std::fs::write(&beside, format!("{:#}\n", serde_json::json!(self)))
            .and_then(|()| std::fs::rename(&beside, &file))
            .inspect_err(|_| {
                // Those of an earlier run would mislead; nothing can be done if they cannot even be removed.
                let _ = std::fs::remove_file(&beside);
                let _ = std::fs::remove_file(&file);
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_written_leave_no_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let addresses = Addresses {
            api: Some("127.0.0.1:1".parse().unwrap()),
            gateway: None,
        };
        addresses.write(folder.path()).unwrap();
        let written: Addresses = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(written, addresses);
        std::fs::create_dir(folder.path().join("addresses.json.new")).unwrap();
        assert!(addresses.write(folder.path()).is_err());
        assert!(!file.exists());
    }
}
