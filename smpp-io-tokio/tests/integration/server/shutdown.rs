//! What a shutdown, the drop of a server, and the timeouts end.

use std::time::Duration;

use smpp_proto::session::{CloseReason, Config, NotSentReason, RequestError, UnansweredReason};
use smpp_proto::{Bind, COctets, CommandStatus};
use smpp_tokio::ServerLimits;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::server::support::{TIMEOUT, TRX, begin, connect, deliver, delivered, esme, serve, submit};

#[tokio::test]
async fn a_shutdown_completes_requests_in_flight() {
    let (server, address, mut test) = serve(ServerLimits::default(), Config::default()).await;
    let (client, mut inbox) = esme(address, "shop", TRX).await;
    let idle = connect(address).await.0;
    let (question, receipt) = (submit(b"?"), deliver(b"!"));
    let mut submitted = Box::pin(client.submit(&question));
    begin(&mut submitted).await;
    let (_, held) = test.message().await;
    let binds = server.binds().clone();
    let mut delivering = Box::pin(binds.deliver(b"shop", &receipt));
    begin(&mut delivering).await;
    let arrived = delivered(&mut inbox).await;

    let stopping = crate::spawn(server.shutdown(TIMEOUT));
    // Connections without a bind are closed.
    idle.closed().await;
    held.accept().unwrap();
    submitted.await.unwrap();
    arrived.accept().unwrap();
    let (shutdown, delivered) = tokio::join!(stopping, delivering);
    delivered.unwrap();
    let shutdown = shutdown.unwrap();
    assert_eq!((shutdown.aborted(), shutdown.not_bound), (0, 1));
    let reasons: Vec<_> = shutdown.ended.iter().map(|(_, end)| end.reason).collect();
    assert_eq!(reasons, [CloseReason::Unbound]);
    assert_eq!(client.closed().await.reason, CloseReason::PeerUnbound);
    assert_eq!(binds.connections(), 0);
    assert!(TcpStream::connect(address).await.is_err(), "the server still listens");
    let error = binds.deliver(b"shop", &receipt).await.unwrap_err();
    assert_eq!(error, RequestError::NeverSent(NotSentReason::NoBind));
}

#[tokio::test]
async fn a_shutdown_aborts_after_its_timeout() {
    let (server, address, mut test) = serve(ServerLimits::default(), Config::default()).await;
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let question = submit(b"?");
    let mut submitted = Box::pin(client.submit(&question));
    begin(&mut submitted).await;
    let (_, _held) = test.message().await;
    let shutdown = server.shutdown(Duration::from_millis(50)).await;
    assert_eq!((shutdown.aborted(), shutdown.ended.len()), (1, 1));
    let error = submitted.await.unwrap_err();
    assert_eq!(error, RequestError::Unanswered(UnansweredReason::Closed(CloseReason::Disconnected)));
    test.event("ended shop: aborted").await;
}

#[tokio::test]
async fn dropping_a_server_aborts_every_session() {
    let (server, address, mut test) = serve(ServerLimits::default(), Config::default()).await;
    let (bound, _inbox) = esme(address, "shop", TRX).await;
    let (idle, _inbox) = connect(address).await;
    let binds = server.binds().clone();
    drop(server);
    assert_eq!(bound.closed().await.reason, CloseReason::Disconnected);
    idle.closed().await;
    test.event("ended shop: aborted").await;
    timeout(TIMEOUT, async {
        while binds.connections() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(binds.list().is_empty());
}

#[tokio::test]
async fn a_bind_decision_is_cancelled_by_disconnect_shutdown_and_timeout() {
    let drain_timeout = Duration::from_millis(50);
    let config = Config::default().drain_timeout(drain_timeout);
    let (server, address, mut test) = serve(ServerLimits::default(), config).await;
    let (client, _inbox) = connect(address).await;
    let undecided = Bind { system_id: COctets::new(b"undecided").unwrap(), ..Bind::default() };
    let mut binding = Box::pin(client.bind(&undecided));
    begin(&mut binding).await;
    test.event("decision begun").await;
    client.abort().await;
    test.event("decision dropped").await;
    test.event("not bound: the session ended before a bind: the connection ended without unbind").await;

    let (client, _inbox) = connect(address).await;
    let mut binding = Box::pin(client.bind(&undecided));
    begin(&mut binding).await;
    test.event("decision begun").await;
    let (shutdown, answer) = tokio::join!(server.shutdown(TIMEOUT), binding);
    assert_eq!(answer.unwrap_err().status(), Some(CommandStatus::RBINDFAIL));
    assert_eq!((shutdown.not_bound, shutdown.ended.len()), (1, 0));
    test.event("decision dropped").await;

    let limits = ServerLimits::default().decision_timeout(Duration::from_millis(50));
    let (_server, address, mut test) = serve(limits, Config::default()).await;
    let (client, _inbox) = connect(address).await;
    let answer = client.bind(&undecided).await;
    assert_eq!(answer.unwrap_err().status(), Some(CommandStatus::RBINDFAIL));
    test.event("decision dropped").await;
    test.event("refused undecided: ESME_RBINDFAIL").await;
}

#[tokio::test]
async fn timeouts_may_be_unlimited() {
    let config = Config::default().session_init_timeout(Duration::MAX);
    let limits = ServerLimits::default().decision_timeout(Duration::MAX);
    let (server, address, _test) = serve(limits, config).await;
    let (client, _inbox) = esme(address, "shop", TRX).await;
    let (shutdown, end) = tokio::join!(server.shutdown(Duration::MAX), client.closed());
    assert_eq!((shutdown.ended.len(), shutdown.aborted()), (1, 0));
    assert_eq!(end.reason, CloseReason::PeerUnbound);
}
