//! A connection between a node and NATS that can be cut.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Proxy {
    port: u16,
    is_cut: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_cut, cuts) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((node, _)) = listener.accept().await {
                tokio::spawn(connect(node, to, cuts.clone()));
            }
        });
        Self { port, is_cut }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    pub(crate) fn heal(&self) {
        self.is_cut.send_replace(false);
    }
}

/// Passes octets on until the connection is cut. While it is, a connection is made and nothing comes through, as behind a dead
/// router; the node does not even see the end.
async fn connect(mut node: TcpStream, to: u16, mut cuts: watch::Receiver<bool>) {
    let _ = cuts.wait_for(|is_cut| !is_cut).await;
    let Ok(mut nats) = TcpStream::connect(("127.0.0.1", to)).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut node, &mut nats) => return,
        cut = cuts.wait_for(|is_cut| *is_cut) => drop(cut),
    }
    let _ = cuts.wait_for(|is_cut| !is_cut).await;
}
