//! Accounts of several endpoints, changes while they run, and dialers, over sockets.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use smpp_proto::account::{Binds, Credentials, LinkState, Message, Options, OptionsError, SubmitError};
use smpp_proto::provider::Provider;
use smpp_proto::session::State;
use smpp_proto::{Address, BindMode, CommandStatus, Endpoint, SubmitSm};
use smpp_tokio::account::{Account, AccountConnector, AccountError, Arrivals};
use smpp_tokio::testing::{ACCOUNT, TestSmsc};
use smpp_tokio::{Connector, DialTarget};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio_socks::tcp::Socks5Stream;

fn options(binds: Binds) -> Options {
    let credentials = Credentials::new(ACCOUNT.0, ACCOUNT.1);
    Options::new(credentials, &Provider::UNSTATED)
        .max_binds(4)
        .connect_interval(Duration::from_millis(1))
        .binds(binds)
}

fn message() -> Message {
    let destination = Address::international("6591234567").unwrap();
    Message::text(&SubmitSm { destination, ..SubmitSm::default() }, "Hello")
}

/// Returns the mode and the port of each bind.
fn bound(account: &Account) -> Vec<(BindMode, u16)> {
    let bound = |state: LinkState| match state {
        LinkState::Open(address, State::Bound(mode)) => Some((mode, address.port())),
        _ => None,
    };
    account.links().into_iter().filter_map(|(_, state, _)| bound(state)).collect()
}

/// Waits until the account has these binds.
async fn wait_for(account: &Account, expected: &[(BindMode, u16)]) {
    let mut events = account.events();
    while bound(account) != expected {
        let next = tokio::time::timeout(Duration::from_secs(10), events.recv()).await;
        assert!(matches!(next, Ok(Some(_))), "{:?} instead of {expected:?}", bound(account));
    }
}

/// Returns an endpoint at which nothing listens.
async fn closed() -> Endpoint {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    Endpoint::plain("127.0.0.1", port)
}

#[tokio::test]
async fn transmitters_and_receivers_bind_to_two_hosts_with_and_without_tls() {
    let (tx, rx) = (TestSmsc::builder().tls().start().await.unwrap(), TestSmsc::start().await.unwrap());
    let binds = Binds::transmitters(1).at([tx.endpoint()]).and(Binds::receivers(2).at([rx.endpoint()]));
    let connector = AccountConnector::with_options(options(binds)).tls(tx.client_tls());
    let (account, _arrivals) = connector.connect().await.unwrap();
    let (tx, rx) = (tx.local_addr().port(), rx.local_addr().port());
    let receiver = (BindMode::Receiver, rx);
    wait_for(&account, &[(BindMode::Transmitter, tx), receiver, receiver]).await;
    account.send(&message()).await.unwrap();
    account.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn the_endpoints_of_the_options_are_tried_after_that_of_the_url() {
    let smsc = TestSmsc::start().await.unwrap();
    let nameless = Endpoint::plain("no-such-host.invalid", 2775);
    let endpoints = vec![nameless, closed().await, smsc.endpoint()];
    let options = options(Binds::transceivers(2)).endpoints(endpoints);
    let unusable = closed().await;
    let (account, _arrivals) = AccountConnector::new(&unusable, options).connect().await.unwrap();
    wait_for(&account, &[(BindMode::Transceiver, smsc.local_addr().port()); 2]).await;
    assert_eq!(account.options().endpoints[0], unusable);
    assert_eq!(account.options().endpoints.len(), 4);
}

#[tokio::test]
async fn a_group_without_an_endpoint_is_an_error() {
    let error = AccountConnector::with_options(options(Binds::transceivers(1))).start().unwrap_err();
    assert!(matches!(error, AccountError::Options(OptionsError::NoEndpoint)), "{error}");
    let smsc = TestSmsc::start().await.unwrap();
    let (account, _arrivals) = AccountConnector::new(&smsc.endpoint(), options(Binds::NONE)).start().unwrap();
    let none = account.options().endpoints(Vec::new()).binds(Binds::transceivers(1));
    assert_eq!(account.reconfigure(none), Err(OptionsError::NoEndpoint));
}

#[tokio::test]
async fn nobody_waits_for_a_bind_that_is_not_requested() {
    let error = Account::connect("smpp://shop:s3cret@127.0.0.1:9", options(Binds::NONE)).await.unwrap_err();
    assert!(matches!(error, AccountError::Options(OptionsError::NoBinds)), "{error}");
}

#[tokio::test]
async fn an_account_is_reconfigured_while_it_runs() {
    let first =
        TestSmsc::builder().account(ACCOUNT.0, ACCOUNT.1).account("other", "n3w").start().await.unwrap();
    let second = TestSmsc::builder().account("other", "n3w").start().await.unwrap();
    let start = options(Binds::NONE).max_binds(1);
    let (account, _arrivals) = AccountConnector::new(&first.endpoint(), start).start().unwrap();
    let waiting = account.submit(&message()).await.unwrap();
    // More slots than at the start.
    account.reconfigure(account.options().max_binds(3).binds(Binds::transceivers(3))).unwrap();
    waiting.outcome().await.unwrap();
    wait_for(&account, &[(BindMode::Transceiver, first.local_addr().port()); 3]).await;
    // Other credentials and another host.
    let credentials = Credentials::new("other", "n3w");
    let endpoints = vec![second.endpoint()];
    account.reconfigure(account.options().credentials(credentials).endpoints(endpoints)).unwrap();
    wait_for(&account, &[(BindMode::Transceiver, second.local_addr().port()); 3]).await;
    assert_eq!(first.binds().list().len(), 0);
    account.send(&message()).await.unwrap();
    assert!(account.reconfigure(account.options().max_binds(1)).is_err());
    account.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_stopped_account_resumes() {
    let smsc = TestSmsc::start().await.unwrap();
    let endpoint = smsc.endpoint().password("wr0ng");
    let (account, _arrivals): (_, Arrivals) =
        AccountConnector::new(&endpoint, options(Binds::transceivers(1))).start().unwrap();
    let stopped = async || {
        let mut events = account.events();
        while !matches!(account.try_submit(&message()), Err(SubmitError::Stopped)) {
            events.recv().await.unwrap();
        }
    };
    stopped().await;
    account.resume();
    assert!(account.try_submit(&message()).is_ok(), "it tries again");
    stopped().await;
    let credentials = Credentials::new(ACCOUNT.0, ACCOUNT.1);
    account.reconfigure(account.options().credentials(credentials)).unwrap();
    account.send(&message()).await.unwrap();
    account.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn connect_reports_refused_credentials_of_the_endpoint() {
    let smsc = TestSmsc::start().await.unwrap();
    let endpoint = smsc.endpoint().password("wr0ng");
    let connector = AccountConnector::new(&endpoint, options(Binds::transceivers(1)));
    let error = connector.connect().await.unwrap_err();
    assert!(matches!(error, AccountError::Refused { status: CommandStatus::RINVPASWD, .. }), "{error}");
}

#[tokio::test]
async fn a_dialer_gets_the_address_and_the_endpoint_without_its_password() {
    let smsc = TestSmsc::start().await.unwrap();
    let (sender, mut targets) = tokio::sync::mpsc::unbounded_channel();
    let dialer = move |target: DialTarget| {
        sender.send(target.clone()).unwrap();
        async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
            socket.connect(target.address).await
        }
    };
    let connector = Connector::new().dial(dialer.clone());
    connector.bind(&smsc.endpoint(), &smsc.bind()).await.unwrap();
    let account = AccountConnector::new(&smsc.endpoint(), options(Binds::transceivers(1)));
    let (account, _arrivals) = account.dial(dialer).connect().await.unwrap();
    account.send(&message()).await.unwrap();
    for _ in 0..2 {
        let target = targets.recv().await.unwrap();
        assert_eq!(target.address, smsc.local_addr());
        let Endpoint { system_id, password, .. } = smsc.endpoint();
        assert!(system_id.is_some() && password.is_some());
        let mut public = smsc.endpoint();
        (public.system_id, public.password) = (None, None);
        assert_eq!(target.endpoint, public);
    }
}

/// Passes connections of a Unix socket on to the SMSC.
#[cfg(unix)]
async fn relay(listener: UnixListener, to: SocketAddr) {
    while let Ok((mut near, _)) = listener.accept().await {
        crate::spawn(async move {
            let mut far = TcpStream::connect(to).await.unwrap();
            let _ = copy_bidirectional(&mut near, &mut far).await;
        });
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_account_binds_over_a_unix_socket() {
    let smsc = TestSmsc::start().await.unwrap();
    let path = std::env::temp_dir().join(format!("smpp-tokio-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    crate::spawn(relay(UnixListener::bind(&path).unwrap(), smsc.local_addr()));
    // No name server knows this host.
    let endpoint = smsc.endpoint().host("smsc.invalid");
    let socket = path.clone();
    let dialer = move |target: DialTarget| {
        assert_eq!(target.endpoint.host, "smsc.invalid");
        assert!(target.address.ip().is_unspecified());
        UnixStream::connect(socket.clone())
    };
    let connector = Connector::new().dial_by_name(dialer.clone());
    connector.bind(&endpoint, &smsc.bind()).await.unwrap();
    let connector = AccountConnector::new(&endpoint, options(Binds::transceivers(1)));
    let (account, _arrivals) = connector.dial_by_name(dialer).connect().await.unwrap();
    account.send(&message()).await.unwrap();
    account.shutdown(Duration::from_secs(1)).await;
    std::fs::remove_file(path).unwrap();
}

/// A SOCKS5 proxy (RFC 1928) that connects every name to the SMSC. Returns the names.
async fn serve_socks(
    listener: TcpListener,
    smsc: SocketAddr,
    names: tokio::sync::mpsc::UnboundedSender<String>,
) {
    while let Ok((mut near, _)) = listener.accept().await {
        let names = names.clone();
        crate::spawn(async move {
            // Version 5, the methods of the client: the proxy asks for no authentication.
            let [_, methods] = read(&mut near).await?;
            near.read_exact(&mut vec![0; usize::from(methods)]).await?;
            near.write_all(&[5, 0]).await?;
            // CONNECT to a name.
            let [5, 1, 0, 3, length] = read(&mut near).await? else {
                return Err(io::Error::other("no name"));
            };
            let mut name = vec![0; usize::from(length)];
            near.read_exact(&mut name).await?;
            let port = u16::from_be_bytes(read(&mut near).await?);
            names.send(format!("{}:{port}", String::from_utf8_lossy(&name))).map_err(io::Error::other)?;
            let mut far = TcpStream::connect(smsc).await?;
            near.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
            copy_bidirectional(&mut near, &mut far).await.map(drop)
        });
    }
}

async fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    stream.read_exact(&mut octets).await?;
    Ok(octets)
}

#[tokio::test]
async fn an_account_binds_through_a_socks_proxy_with_tls_to_the_smsc() {
    let smsc = TestSmsc::builder().tls().start().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = listener.local_addr().unwrap();
    let (sender, mut names) = tokio::sync::mpsc::unbounded_channel();
    crate::spawn(serve_socks(listener, smsc.local_addr(), sender));
    // The proxy resolves the name; the certificate is for this name.
    let endpoint = smsc.endpoint().host("localhost").port(4711);
    let connector = AccountConnector::new(&endpoint, options(Binds::transceivers(1))).tls(smsc.client_tls());
    let connector = connector.dial_by_name(move |target| async move {
        let host = (target.endpoint.host.as_str(), target.endpoint.port);
        Socks5Stream::connect(proxy, host).await.map_err(io::Error::other)
    });
    let (account, _arrivals) = connector.connect().await.unwrap();
    account.send(&message()).await.unwrap();
    account.shutdown(Duration::from_secs(1)).await;
    assert_eq!(names.recv().await.unwrap(), "localhost:4711");
}
