//! Running a session over any stream, with a background thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use smpp_proto::session::{Config, Observer, Role};

use crate::background::BackgroundThread;
use crate::handle::Handle;
use crate::inbox::Inbox;
use crate::session_hook::{ServerSide, SessionHook};
use crate::shared::Shared;
use crate::sync::thread;
use crate::transport::Duplex;

/// Starts a session over a stream that is connected already, with a background thread that reads and keeps the timeouts
/// while no other thread does. Does not block.
///
/// [`Connector::start`](crate::Connector::start) and [`Server`](crate::Server) call it for the connections that they make.
/// Call it for a transport of your own, or for a TCP connection that you have made:
///
/// ```no_run
/// use std::net::TcpStream;
/// use smpp_proto::Bind;
/// use smpp_proto::session::{Config, Esme};
/// use smpp_std::start;
///
/// let tcp = TcpStream::connect("localhost:2775")?;
/// tcp.set_nodelay(true)?;
/// let (client, inbox) = start::<Esme, _>(tcp, Config::default())?;
/// client.bind(&Bind { system_id: "shop".try_into()?, password: "secret".try_into()?, ..Bind::default() })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Returns the transport's error, or that of the operating system if it cannot start a thread.
pub fn start<R, S>(stream: S, config: Config) -> io::Result<(Handle<R>, Inbox<R>)>
where
    R: Role,
    S: Duplex + 'static,
{
    start_with(Box::new(stream), config, Surroundings::default())
}

/// What a session has beside its stream, from its start on.
#[derive(Default)]
pub(crate) struct Surroundings {
    pub(crate) observer: Option<Box<dyn Observer + Send>>,
    /// The connection of a server.
    pub(crate) hook: Option<Arc<dyn SessionHook>>,
    /// The address of the peer.
    pub(crate) peer: Option<SocketAddr>,
}

/// Starts a session with an observer that sees every PDU, or for a server.
pub(crate) fn start_with<R: Role>(
    stream: Box<dyn Duplex>,
    config: Config,
    Surroundings { observer, hook, peer }: Surroundings,
) -> io::Result<(Handle<R>, Inbox<R>)> {
    let shared = Arc::new(Shared::new(stream, &config)?);
    let mut state = shared.lock();
    *state.session.observer_mut() = observer;
    state.server = hook.clone().map(ServerSide::new);
    if let Some(peer) = peer {
        state.telemetry.connected(peer);
    }
    drop(state);
    let background = BackgroundThread { shared: Arc::clone(&shared), hook };
    thread::Builder::new().name("smpp".into()).spawn(move || background.run())?;
    let handle = Handle::new(shared);
    Ok((handle.clone(), Inbox::new(handle)))
}
