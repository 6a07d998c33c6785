//! An etcd process.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{EtcdJson, http};

/// A single-node etcd in a directory of its own; killed when dropped.
pub(crate) struct Server {
    process: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Server {
    pub(crate) async fn start() -> Self {
        for _ in 0..5 {
            if let Some(server) = Self::try_start().await {
                return server;
            }
        }
        panic!("etcd did not start on any of five pairs of ports");
    }

    /// `None` when somebody else took a port between finding and using it.
    async fn try_start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let (client, peer) = free_ports();
        let process = Command::new("etcd")
            .args(["--name", "test", "--data-dir"])
            .arg(directory.path().join("etcd"))
            .args(["--listen-client-urls", &format!("http://{client}")])
            .args(["--advertise-client-urls", &format!("http://{client}")])
            .args(["--listen-peer-urls", &format!("http://{peer}")])
            .args(["--initial-advertise-peer-urls", &format!("http://{peer}")])
            .args(["--initial-cluster", &format!("test=http://{peer}")])
            .args(["--heartbeat-interval", "20", "--election-timeout", "200"])
            .args(["--experimental-watch-progress-notify-interval", "100ms"])
            .args(["--log-level", "error"])
            .env("ETCD_UNSUPPORTED_ARCH", std::env::consts::ARCH)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd is needed to check the store's contract: install etcd-server (scripts/setup does)");
        let mut server = Self {
            process,
            address: client,
            _directory: directory,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        while Instant::now() < deadline {
            pace.tick().await;
            if server.process.try_wait().unwrap().is_some() {
                return None;
            }
            let probe = serde_json::json!({ "key": "AA==" });
            if http::post(client, "/v3/kv/range", &probe).await.is_ok() {
                return Some(server);
            }
        }
        panic!("etcd did not answer within a minute");
    }

    pub(crate) async fn client(&self) -> EtcdJson {
        EtcdJson::connect(self.address).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_ports() -> (SocketAddr, SocketAddr) {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (one, other) = (bind(), bind());
    (one.local_addr().unwrap(), other.local_addr().unwrap())
}
