//! Where the demo's processes listen and where they keep their files.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use guildhall_shop::{orders, users};

/// Free ports are looked for here: below what systems give to outgoing connections, so that the port of a process that
/// was killed is still free when it is started again.
const FREE: Range<u16> = 15_000..30_000;

/// The ports of everything that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ports {
    /// The platform's API.
    pub(super) api: u16,
    /// Gateway traffic.
    pub(super) gateway: u16,
    /// The gateway node's own API.
    pub(super) gateway_api: u16,
    /// The instances of user-service.
    pub(super) users: [u16; 2],
    /// The one of order-service.
    pub(super) orders: u16,
}

impl Ports {
    /// The ports that the documentation names.
    const DOCUMENTED: Self = Self {
        api: 7420,
        gateway: 8080,
        gateway_api: 7421,
        users: [users::DEFAULT_PORT, 3003],
        orders: orders::DEFAULT_PORT,
    };

    /// Takes the documented ports where `documented` is asked for and they are free, and other free ones else. Also
    /// answers, for people, which could not be had.
    pub(super) fn take(
        documented: bool,
        mut is_free: impl FnMut(u16) -> bool,
        random: &mut fastrand::Rng,
    ) -> io::Result<(Self, Vec<String>)> {
        let mut taken = Vec::new();
        let mut missed = Vec::new();
        let mut take = |what: &str, port: u16| {
            let mut free = |port: u16| !taken.contains(&port) && is_free(port);
            let found = if documented && free(port) {
                Some(port)
            } else {
                let first = random.u16(FREE);
                (first..FREE.end)
                    .chain(FREE.start..first)
                    .find(|&port| free(port))
            };
            let found = found.ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::AddrInUse,
                    format!("no free port from {} to {}", FREE.start, FREE.end),
                )
            })?;
            taken.push(found);
            if documented && found != port {
                missed.push(format!(
                    "port {port} is taken; {what} is at {found} instead"
                ));
            }
            io::Result::Ok(found)
        };
        let Self {
            api,
            gateway,
            gateway_api,
            users,
            orders,
        } = Self::DOCUMENTED;
        let ports = Self {
            api: take("the API", api)?,
            gateway: take("the gateway", gateway)?,
            gateway_api: take("the gateway node's own API", gateway_api)?,
            users: [
                take("the first user-service", users[0])?,
                take("the second user-service", users[1])?,
            ],
            orders: take("order-service", orders)?,
        };
        Ok((ports, missed))
    }
}

/// Whether nobody listens on a port of loopback.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind(loopback(port)).is_ok()
}

/// A port of loopback.
pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The demo's directory: a subdirectory for each node, one for the shop, one for the logs.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) path: PathBuf,
    /// Whether it was made for this run alone.
    temporary: bool,
}

impl Directory {
    /// The one that was given, or a new temporary one that nobody else may read.
    pub(super) fn open(given: Option<PathBuf>, random: &mut fastrand::Rng) -> io::Result<Self> {
        if let Some(path) = given {
            std::fs::create_dir_all(path.join("logs"))?;
            return Ok(Self {
                path: std::path::absolute(path)?,
                temporary: false,
            });
        }
        let path = std::env::temp_dir().join(format!("guildhall-demo-{:016x}", random.u64(..)));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        std::fs::create_dir(path.join("logs"))?;
        Ok(Self {
            path,
            temporary: true,
        })
    }

    /// A path inside it.
    pub(super) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.path.join(path)
    }

    /// Removes it if it was made for this run and nobody asked to keep it. True if it is still there.
    pub(super) fn close(self, keep: bool) -> bool {
        !self.temporary || keep || std::fs::remove_dir_all(&self.path).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_ports_are_taken_where_they_are_free() {
        let mut random = fastrand::Rng::with_seed(1);
        let (ports, missed) = Ports::take(true, |_| true, &mut random).unwrap();
        assert_eq!((ports, missed.len()), (Ports::DOCUMENTED, 0));

        let (ports, missed) = Ports::take(true, |port| port != 8080, &mut random).unwrap();
        assert!(FREE.contains(&ports.gateway));
        assert_eq!(
            Ports {
                gateway: 8080,
                ..ports
            },
            Ports::DOCUMENTED
        );
        assert_eq!(
            missed,
            [format!(
                "port 8080 is taken; the gateway is at {} instead",
                ports.gateway
            )]
        );
    }

    #[test]
    fn free_ports_differ_from_each_other() {
        let mut random = fastrand::Rng::with_seed(1);
        let (ports, missed) =
            Ports::take(false, |port| port < FREE.start + 6, &mut random).unwrap();
        let Ports {
            api,
            gateway,
            gateway_api,
            users,
            orders,
        } = ports;
        let mut all = vec![api, gateway, gateway_api, users[0], users[1], orders];
        all.sort_unstable();
        assert_eq!(
            (all, missed.len()),
            ((FREE.start..FREE.start + 6).collect(), 0)
        );
        assert!(Ports::take(false, |_| false, &mut random).is_err());
    }

    #[test]
    fn a_temporary_directory_goes_and_a_given_one_stays() {
        let mut random = fastrand::Rng::new();
        let new = Directory::open(None, &mut random).unwrap();
        let path = new.path.clone();
        assert!(path.join("logs").is_dir() && !new.close(false) && !path.exists());

        let parent = tempfile::tempdir().unwrap();
        let given = Directory::open(Some(parent.path().join("demo")), &mut random).unwrap();
        assert!(given.close(false) && parent.path().join("demo/logs").is_dir());
    }
}
