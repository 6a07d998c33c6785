//! Listening sockets: one per worker on the same address, so that the kernel spreads connections
//! and no worker waits for another.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::StartError;

/// Connections that may wait to be accepted, per worker.
const BACKLOG: i32 = 4096;

/// Listens on `address` with `workers` sockets. Says which address it was: port 0 takes one.
pub(crate) fn listen(
    address: SocketAddr,
    workers: usize,
) -> Result<(SocketAddr, Vec<TcpListener>), StartError> {
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::AddrInUse => StartError::InUse { address },
        _ => StartError::Listen { address, source },
    };
    let taken = probe(address).map_err(failed)?;
    let sockets = (0..workers).map(|_| {
        let socket = socket(taken)?;
        socket.set_reuse_port(true)?;
        socket.bind(&taken.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(TcpListener::from(socket))
    });
    Ok((taken, sockets.collect::<io::Result<_>>().map_err(failed)?))
}

/// Takes the address for a moment without SO_REUSEPORT: with it, a second gateway of the same user
/// would silently take half of the first one's connections.
fn probe(address: SocketAddr) -> io::Result<SocketAddr> {
    let socket = socket(address)?;
    socket.bind(&address.into())?;
    socket.listen(1)?;
    let local = socket.local_addr()?;
    Ok(local.as_socket().unwrap_or(address))
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the connections of the last run to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_an_error_and_port_0_takes_one_for_all_workers() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (taken, sockets) = listen(any, 3).unwrap();
        assert_ne!(taken.port(), 0);
        assert!(
            sockets
                .iter()
                .all(|socket| socket.local_addr().unwrap() == taken)
        );
        assert!(matches!(listen(taken, 1), Err(StartError::InUse { address }) if address == taken));
        drop(sockets);
        assert!(listen(taken, 2).is_ok());
    }
}
