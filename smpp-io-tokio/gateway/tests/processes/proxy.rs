//! A connection between a node and NATS that can be cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

pub(crate) struct Proxy {
    port: u16,
    is_cut: Arc<AtomicBool>,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    pub(crate) async fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cuts, watcher) = watch::channel(0);
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&is_cut);
        tokio::spawn(async move {
            while let Ok((mut node, _)) = listener.accept().await {
                let mut watcher = watcher.clone();
                let cut = Arc::clone(&cut);
                tokio::spawn(async move {
                    while cut.load(Ordering::SeqCst) {
                        // The connection is made and nothing comes through, as behind a dead router.
                        sleep(Duration::from_millis(100)).await;
                    }
                    let Ok(mut nats) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                    watcher.mark_unchanged();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut node, &mut nats) => {}
                        _ = watcher.changed() => {
                            // The node sees nothing, not even the end.
                            while cut.load(Ordering::SeqCst) {
                                sleep(Duration::from_millis(100)).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, is_cut, cuts }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.cuts.send_modify(|count| *count += 1);
    }

    pub(crate) fn heal(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}
