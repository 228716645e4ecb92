//! The network between an adapter and the endpoint, which can be cut.

use std::{io, net::SocketAddr};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A way through this process. It ends when it is dropped.
pub(super) struct Link {
    address: SocketAddr,
    cut: watch::Sender<bool>,
    _carrying: JoinSet<()>,
}

impl Link {
    /// A way to `to`.
    pub(super) async fn start(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, cut) = (listener.local_addr()?, watch::Sender::new(false));
        let mut carrying = JoinSet::new();
        carrying.spawn(carry_all(listener, to, cut.subscribe()));
        Ok(Self { address, cut, _carrying: carrying })
    }

    /// Where the adapter finds the endpoint.
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts the way, or mends it.
    pub(super) fn cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

async fn carry_all(listener: TcpListener, to: SocketAddr, cut: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((near, _)) = accepted {
                connections.spawn(carry(near, to, cut.clone()));
            },
            Some(_ended) = connections.join_next() => {}
        }
    }
}

/// Carries a connection until it ends. While the way is cut nothing arrives and nobody is told; when it is mended
/// the connection is closed, as what was lost of it cannot be had any more.
async fn carry(mut near: TcpStream, to: SocketAddr, mut cut: watch::Receiver<bool>) {
    let mut mended = cut.clone();
    let mut far = None;
    let carried = async {
        let far = far.insert(TcpStream::connect(to).await?);
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        copy_bidirectional(&mut near, far).await
    };
    tokio::select! {
        biased;
        _cut = cut.wait_for(|cut| *cut) => {}
        _ended = carried => return,
    }
    // Both ends stay open meanwhile. An error means that the demo is over.
    mended.wait_for(|cut| !*cut).await.ok();
}
