//! Accounts of several endpoints, and changes while they run.

use std::net::TcpListener;
use std::time::Duration;

use smpp_proto::account::{Binds, Credentials, LinkState, OptionsError, SubmitError};
use smpp_proto::session::State;
use smpp_proto::{BindMode, Endpoint};
use smpp_std::account::{Account, AccountConnector, AccountError};
use smpp_std::testing::{ACCOUNT, TestSmsc};

use super::{SECOND, alone, fast, options, text, until};

/// Returns the mode and the port of each bind.
fn bound(account: &Account) -> Vec<(BindMode, u16)> {
    let bound = |state: LinkState| match state {
        LinkState::Open(address, State::Bound(mode)) => Some((mode, address.port())),
        _ => None,
    };
    account.links().into_iter().filter_map(|(_, state, _)| bound(state)).collect()
}

/// Returns an endpoint at which nothing listens.
fn closed() -> Endpoint {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    Endpoint::plain("127.0.0.1", port)
}

#[test]
fn transmitters_and_receivers_bind_to_two_hosts_with_and_without_tls() {
    alone(|| {
        let (tx, rx) = (TestSmsc::builder().tls().start().unwrap(), TestSmsc::start().unwrap());
        let binds = Binds::transmitters(1).at([tx.endpoint()]).and(Binds::receivers(2).at([rx.endpoint()]));
        let connector = AccountConnector::with_options(fast(binds)).tls(tx.client_tls());
        let (account, _arrivals) = connector.connect().unwrap();
        let (tx, rx) = (tx.local_addr().port(), rx.local_addr().port());
        let receiver = (BindMode::Receiver, rx);
        until(|| bound(&account) == [(BindMode::Transmitter, tx), receiver, receiver]);
        account.send(&text("Hello")).unwrap();
        account.shutdown(SECOND);
    });
}

#[test]
fn the_endpoints_of_the_options_are_tried_after_that_of_the_url() {
    alone(|| {
        let smsc = TestSmsc::start().unwrap();
        let nameless = Endpoint::plain("no-such-host.invalid", 2775);
        let endpoints = vec![nameless, closed(), smsc.endpoint()];
        let options = fast(Binds::transceivers(2)).endpoints(endpoints);
        let unusable = closed();
        let (account, _arrivals) = AccountConnector::new(&unusable, options).connect().unwrap();
        until(|| bound(&account) == [(BindMode::Transceiver, smsc.local_addr().port()); 2]);
        assert_eq!(account.options().endpoints[0], unusable);
        assert_eq!(account.options().endpoints.len(), 4);
        account.shutdown(SECOND);
    });
}

#[test]
fn a_group_without_an_endpoint_is_an_error() {
    alone(|| {
        let error = AccountConnector::with_options(fast(Binds::transceivers(1))).start().unwrap_err();
        assert!(matches!(error, AccountError::Options(OptionsError::NoEndpoint)), "{error}");
        let smsc = TestSmsc::start().unwrap();
        let connector = AccountConnector::new(&smsc.endpoint(), fast(Binds::NONE));
        let (account, _arrivals) = connector.start().unwrap();
        let none = account.options().endpoints(Vec::new()).binds(Binds::transceivers(1));
        assert_eq!(account.reconfigure(none), Err(OptionsError::NoEndpoint));
    });
}

#[test]
fn an_account_is_reconfigured_while_it_runs() {
    alone(|| {
        let builder = TestSmsc::builder().account(ACCOUNT.0, ACCOUNT.1).account("other", "n3w");
        let (first, second) =
            (builder.start().unwrap(), TestSmsc::builder().account("other", "n3w").start().unwrap());
        let start = fast(Binds::NONE).max_binds(1);
        let (account, _arrivals) = AccountConnector::new(&first.endpoint(), start).start().unwrap();
        let waiting = account.submit(&text("Hello")).unwrap();
        // More slots than at the start.
        let binds = Binds::transceivers(3);
        account.reconfigure(account.options().max_binds(3).binds(binds)).unwrap();
        waiting.outcome().unwrap();
        until(|| bound(&account) == [(BindMode::Transceiver, first.local_addr().port()); 3]);
        // Other credentials and another host.
        let credentials = Credentials::new("other", "n3w");
        let endpoints = vec![second.endpoint()];
        account.reconfigure(account.options().credentials(credentials).endpoints(endpoints)).unwrap();
        until(|| bound(&account) == [(BindMode::Transceiver, second.local_addr().port()); 3]);
        account.send(&text("Hello")).unwrap();
        assert!(account.reconfigure(account.options().max_binds(1)).is_err());
        account.shutdown(SECOND);
    });
}

#[test]
fn a_stopped_account_resumes() {
    alone(|| {
        let smsc = TestSmsc::start().unwrap();
        let endpoint = smsc.endpoint().password("wr0ng");
        let connector = AccountConnector::new(&endpoint, fast(Binds::transceivers(1)));
        let (account, _arrivals) = connector.start().unwrap();
        let stopped = || matches!(account.try_submit(&text("Hello")), Err(SubmitError::Stopped));
        until(stopped);
        account.resume();
        until(stopped);
        let credentials = Credentials::new(ACCOUNT.0, ACCOUNT.1);
        account.reconfigure(account.options().credentials(credentials)).unwrap();
        account.send(&text("Hello")).unwrap();
        account.shutdown(Duration::from_secs(1));
    });
}

#[test]
fn nobody_waits_for_a_bind_that_is_not_requested() {
    let error = Account::connect("smpp://shop:s3cret@127.0.0.1:9", options(Binds::NONE)).unwrap_err();
    assert!(matches!(error, AccountError::Options(OptionsError::NoBinds)), "{error}");
}
