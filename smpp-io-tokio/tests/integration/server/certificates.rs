//! Certificates of the server and of clients.

use std::sync::Arc;

use smpp_proto::session::{Config, Smsc};
use smpp_proto::{CommandStatus, Endpoint};
use smpp_tokio::testing::Certificate;
use smpp_tokio::tls::{self, CertificateDer, ClientTls, ProtocolVersion, TlsInfo};
use smpp_tokio::{
    Admission, BindRequest, BoundSession, Client, ConnectError, Connector, Inbound, Listener, Server, Service,
};
use tokio::sync::mpsc;

use super::support::{TRX, bind, submit, test_service};

async fn connect(tls: impl Into<ClientTls>, port: u16) -> Result<Client, ConnectError> {
    Ok(Connector::new().tls(tls).connect(&Endpoint::tls("localhost", port)).await?.0)
}

#[tokio::test]
async fn a_certificate_is_replaced_while_the_server_runs() {
    let [before, after] = [(), ()].map(|()| Certificate::for_localhost().unwrap());
    let tls = before.server_tls();
    let (service, test) = test_service();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap().tls(tls.clone());
    let server = Server::builder(service).listen(listener).start().unwrap();
    let port = server.local_addrs()[0].port();
    let _events = test.echo();
    let client = connect(before.client_tls(), port).await.unwrap();
    bind(&client, "shop", "secret", TRX).await.unwrap();
    assert!(connect(after.client_tls(), port).await.is_err());

    let replaced = tls.replace(after.server_tls().config());
    assert!(Arc::ptr_eq(&replaced, &before.server_tls().config()));
    // The session that exists goes on, and later connections use the new certificate.
    let sent = client.submit(&submit(b"still there")).await.unwrap();
    assert_eq!(sent.message_id(), b"still there");
    let error = connect(before.client_tls(), port).await.unwrap_err();
    assert!(error.to_string().contains("the peer's certificate was rejected"), "{error}");
    let second = connect(after.client_tls(), port).await.unwrap();
    bind(&second, "shop", "secret", TRX).await.unwrap();
    assert_eq!(server.binds().list().len(), 2);
}

/// Accepts a system_id only with its certificate, and passes on what the handshakes have agreed on.
struct Certificates {
    shop: CertificateDer<'static>,
    seen: mpsc::UnboundedSender<TlsInfo>,
}

impl Service for Certificates {
    async fn bind(&self, request: &BindRequest) -> Result<Admission, CommandStatus> {
        let tls = request.tls().ok_or(CommandStatus::RBINDFAIL)?;
        let _ = self.seen.send(tls.clone());
        let is_known =
            tls.client_certificate() == Some(&self.shop) && request.bind().system_id.as_bytes() == b"shop";
        if is_known { Ok(Admission::default()) } else { Err(CommandStatus::RINVSYSID) }
    }

    async fn request(&self, _: &BoundSession, _: Inbound<Smsc>) {}
}

#[tokio::test]
async fn a_system_id_is_accepted_only_with_its_certificate() {
    let certificate = Certificate::for_localhost().unwrap();
    let roots = certificate.roots();
    let (server_chain, server_key) = certificate.issue("localhost").unwrap();
    let [(shop, shop_key), (other, other_key)] =
        ["shop", "other"].map(|name| certificate.issue(name).unwrap());

    let config = tls::server_verifying_clients(server_chain, server_key, roots.clone()).unwrap();
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![b"smpp".to_vec()];
    let (seen, mut infos) = mpsc::unbounded_channel();
    let listener = Listener::bind("127.0.0.1:0", Config::default()).await.unwrap().tls(Arc::new(config));
    let server =
        Server::builder(Certificates { shop: shop[0].clone(), seen }).listen(listener).start().unwrap();
    let port = server.local_addrs()[0].port();

    let client = |chain: &[CertificateDer<'static>], key| {
        let config = tls::client_with_certificate(roots.clone(), chain.to_vec(), key).unwrap();
        let mut config = Arc::unwrap_or_clone(config);
        config.alpn_protocols = vec![b"http/1.1".to_vec(), b"smpp".to_vec()];
        Arc::new(config)
    };
    let (client_tls, endpoint) = (ClientTls::new(client(&shop, shop_key)), Endpoint::tls("localhost", port));
    let connector = Connector::new().tls(client_tls.clone());
    let with_shop = connector.connect(&endpoint).await.unwrap().0;
    bind(&with_shop, "shop", "secret", TRX).await.unwrap();
    let info = infos.recv().await.unwrap();
    assert_eq!(info.client_certificates, shop);
    assert_eq!((info.server_name.as_deref(), info.alpn.as_deref()), (Some("localhost"), Some(&b"smpp"[..])));
    assert_eq!(info.version, ProtocolVersion::TLSv1_3);
    let shown = "TlsInfo { version: TLSv1_3, server_name: Some(\"localhost\"), alpn: Some(\"smpp\"), client_certificates: 1 }";
    assert_eq!(format!("{info:?}"), shown);

    // A client's certificate is replaced while its connector is in use.
    client_tls.replace(client(&other, other_key));
    let with_other = connector.connect(&endpoint).await.unwrap().0;
    let error = bind(&with_other, "shop", "secret", TRX).await.unwrap_err();
    assert_eq!(error.status(), Some(CommandStatus::RINVSYSID));
    assert_eq!(infos.recv().await.unwrap().client_certificate(), Some(&other[0]));

    // Without a certificate there is no bind. With TLS 1.3 the client sees it after its handshake.
    let without = connect(tls::client(roots).unwrap(), port).await.unwrap();
    assert!(bind(&without, "shop", "secret", TRX).await.is_err());
    assert!(infos.try_recv().is_err());
    assert_eq!(server.binds().list().len(), 1);
}
