//! A port that is held: nobody else is given it, and who connects is refused until somebody listens there.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

/// A port of this machine on which nobody listens, unless it is told the address and listens with `SO_REUSEADDR`, as all
/// servers of these tests do. It is given back when this is dropped.
pub struct Port {
    /// `127.0.0.1:PORT`.
    pub address: SocketAddr,
    _held: TcpSocket,
}

impl Port {
    /// Holds one that is free.
    pub fn hold() -> Self {
        let held = bound((Ipv4Addr::LOCALHOST, 0).into());
        Self { address: held.local_addr().unwrap(), _held: held }
    }

    /// A socket on it that can listen.
    pub fn socket(&self) -> TcpSocket {
        bound(self.address)
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}
