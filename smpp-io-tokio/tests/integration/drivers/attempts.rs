//! The attempts of an account to connect: they end at once when they are not wanted, and otherwise in time.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::account::{Binds, Credentials, LinkState, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::Config;
use smpp_tokio::account::{Account, AccountConnector};
use tokio::io::DuplexStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::drivers::peer::ScriptedSmsc;

const SECOND: Duration = Duration::from_secs(1);

fn connector(binds: Binds) -> AccountConnector {
    let options = Options::new(Credentials::new("shop", "secret"), &Provider::UNSTATED);
    AccountConnector::new(&"smpp://192.0.2.1".parse().unwrap(), options.binds(binds))
}

#[tokio::test(start_paused = true)]
async fn a_connection_attempt_is_dropped_when_the_account_shuts_down() {
    let (sender, dropped) = oneshot::channel::<()>();
    let sender = Mutex::new(Some(sender));
    let (account, _arrivals) = connector(Binds::transceivers(1))
        .dial(move |_| {
            let attempt = sender.lock().unwrap().take();
            async move {
                let _attempt = attempt;
                pending::<io::Result<DuplexStream>>().await
            }
        })
        .start()
        .unwrap();
    sleep(SECOND).await;
    let began = Instant::now();
    account.shutdown(Duration::ZERO).await;
    assert!(timeout(60 * SECOND, dropped).await.expect("the attempt goes on").is_err());
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_resolver_has_the_timeout_of_a_connection() {
    let began = Instant::now();
    let (account, _arrivals) = connector(Binds::transceivers(1))
        .resolver(|_| pending::<io::Result<Vec<SocketAddr>>>())
        .start()
        .unwrap();
    let mut events = account.events();
    let event = timeout(60 * SECOND, events.recv()).await.expect("no timeout").unwrap();
    let text = event.to_string();
    assert!(text.starts_with("link 0: cannot resolve the host: timed out; next attempt in "), "{text}");
    assert_eq!(began.elapsed(), 10 * SECOND);
}

fn states(account: &Account) -> Vec<LinkState> {
    account.links().iter().map(|link| link.1).collect()
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_attempt_was_not_wanted_any_more_is_used_again() {
    let hangs = Arc::new(AtomicBool::new(false));
    let hanging = Arc::clone(&hangs);
    let (_smsc, connector) = ScriptedSmsc::new(Config::default(), true);
    let connector = connector.resolver(move |_| {
        let hangs = hanging.load(Ordering::SeqCst);
        async move { if hangs { pending().await } else { Ok(vec![SocketAddr::from(([192, 0, 2, 1], 2775))]) } }
    });
    let (account, _arrivals) = connector.connect().await.unwrap();
    account.set_binds(Binds::transceivers(1)).unwrap();
    sleep(SECOND).await;
    hangs.store(true, Ordering::SeqCst);
    account.set_binds(Binds::transceivers(2)).unwrap();
    sleep(SECOND).await;
    assert_eq!(states(&account)[1], LinkState::Resolving);
    account.set_binds(Binds::transceivers(1)).unwrap();
    sleep(SECOND).await;
    assert_eq!(states(&account)[1], LinkState::Idle);
    hangs.store(false, Ordering::SeqCst);
    account.set_binds(Binds::transceivers(2)).unwrap();
    sleep(SECOND).await;
    assert!(matches!(states(&account)[1], LinkState::Open(..)), "{:?}", states(&account));
}
