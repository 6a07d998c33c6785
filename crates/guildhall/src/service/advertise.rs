//! Under which host others reach this process, if its author does not say.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use guildhall_api::client::ClientOptions;
use tokio::net::UdpSocket;

/// The address that is listened on; if that is all of the machine's, the one by which the
/// platform is reached; without a platform the loopback address.
pub(super) async fn host(bound: SocketAddr, platform: Option<&ClientOptions>) -> String {
    if !bound.ip().is_unspecified() {
        return bound.ip().to_string();
    }
    let servers = platform
        .map(|options| options.servers.as_slice())
        .unwrap_or_default();
    for server in servers {
        if let Some(ip) = towards(server).await {
            return ip.to_string();
        }
    }
    IpAddr::from(Ipv4Addr::LOCALHOST).to_string()
}

/// The own address on the way to `server`. Connecting a datagram socket sends nothing: it only
/// asks the routing table.
async fn towards(server: &str) -> Option<IpAddr> {
    let uri: http::Uri = server.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    let target = tokio::net::lookup_host((host, uri.port_u16().unwrap_or(80)))
        .await
        .ok()?
        .next()?;
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await.ok()?;
    socket.connect(target).await.ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(bound: &str, servers: &[&str], expect: &str) {
        let options = ClientOptions::new(servers);
        assert_eq!(host(bound.parse().unwrap(), Some(&options)).await, expect);
    }

    #[tokio::test]
    async fn the_way_to_the_platform_decides() {
        check("10.1.2.3:80", &["http://127.0.0.1:7420"], "10.1.2.3").await;
        check("0.0.0.0:80", &["http://127.0.0.1:7420"], "127.0.0.1").await;
        check("0.0.0.0:80", &[], "127.0.0.1").await;
    }
}
