//! The attempts of an account to connect: they end at once when they are not wanted, and otherwise in time.

use std::future::{pending, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use smpp_proto::account::{Binds, Credentials, LinkState, Options};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, State};
use smpp_tokio::account::{Account, AccountConnector};
use smpp_tokio::testing::TestSmsc;
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

/// The task of an attempt has its result before the task of the account has cancelled it.
#[tokio::test(start_paused = true)]
async fn a_slot_is_used_again_whose_attempt_ended_while_it_was_given_up() {
    let account = Arc::new(Mutex::new(None::<Account>));
    let at = Arc::new(AtomicUsize::new(0));
    for resolved in [Ok(SocketAddr::from(([192, 0, 2, 1], 2775))), Err(io::ErrorKind::NotFound)] {
        for gives_up in [1, 2] {
            let give_up = |step: usize, account: &Mutex<Option<Account>>, at: &AtomicUsize| {
                if at.compare_exchange(step, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
                    && let Some(account) = &*account.lock().unwrap()
                {
                    account.set_binds(Binds::NONE).unwrap();
                }
            };
            let (resolving, dialing) = [(); 2].map(|()| (Arc::clone(&account), Arc::clone(&at))).into();
            let (started, _arrivals) = connector(Binds::transceivers(1))
                .resolver(move |_| {
                    give_up(1, &resolving.0, &resolving.1);
                    ready(resolved.map(|address| vec![address]).map_err(io::Error::from))
                })
                .dial(move |_| {
                    give_up(2, &dialing.0, &dialing.1);
                    ready(Err::<DuplexStream, _>(io::ErrorKind::ConnectionRefused.into()))
                })
                .start()
                .unwrap();
            *account.lock().unwrap() = Some(started.clone());
            at.store(gives_up, Ordering::SeqCst);
            sleep(60 * SECOND).await;
            assert_eq!(
                states(&started),
                [LinkState::Idle; 4][..states(&started).len()],
                "{resolved:?} {gives_up}"
            );
            *account.lock().unwrap() = None;
            timeout(60 * SECOND, started.shutdown(Duration::ZERO)).await.expect("it does not end");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_longest_timeout_of_a_connection_is_none() {
    let (_smsc, connector) = ScriptedSmsc::new(Config::default(), true);
    let (account, _arrivals) = connector.start().unwrap();
    account.reconfigure(account.options().connect_timeout(Duration::MAX)).unwrap();
    timeout(60 * SECOND, account.ready()).await.expect("no bind").unwrap();
    let smsc = TestSmsc::start().await.unwrap();
    let connected = smsc.connector().timeout(Duration::MAX).connect(&smsc.endpoint()).await;
    assert_eq!(connected.unwrap().0.state(), State::Open);
}
