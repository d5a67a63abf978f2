//! Options that cannot work are refused before anything starts, with the name of the field.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use smpp_proto::account::{Credentials, Options, OptionsError};
use smpp_proto::provider::Provider;
use smpp_proto::session::{Config, InvalidOption, Rate, Smsc};
use smpp_proto::sms::TextOptions;
use smpp_proto::{Bind, BindMode, CommandStatus, MessageState};
use smpp_std::account::{AccountConnector, AccountError};
use smpp_std::testing::{
    DeliverError, Dialect, Faults, MoMessage, OriginateError, ReceiptTiming, Rules, StateWeights, TestSmsc,
};
use smpp_std::{
    Admission, BindRequest, BoundSession, ConnectErrorKind, HandleRoute, Inbound, Listener, Server,
    ServerLimits, Service,
};

/// A service that is never asked.
struct Nobody;

impl Service for Nobody {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Err(CommandStatus::RBINDFAIL)
    }

    fn request(&self, _: &BoundSession, _: Inbound<HandleRoute<Smsc>>) {}
}

fn options() -> Options {
    Options::new(Credentials::new("shop", "s3cret"), &Provider::UNSTATED)
}

/// Returns the option that an error of the operating system's type names.
fn named(error: &io::Error) -> &'static str {
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<InvalidOption>());
    inner.unwrap_or_else(|| panic!("{error}")).option
}

#[test]
fn an_account_refuses_options_that_cannot_work() {
    let no_alphabet = options().text(TextOptions::DEFAULT.alphabets(&[]));
    for (options, field) in [
        (options().queue_capacity(0), "queue_capacity"),
        (no_alphabet, "text.alphabets"),
        (options().session(Config::DEFAULT.window(0)), "session.window"),
        (options().session(Config::DEFAULT.response_timeout(Duration::ZERO)), "session.response_timeout"),
        (options().rate(Rate::per_second(0)), "rate"),
    ] {
        let connector = || AccountConnector::new(&"smpp://192.0.2.1".parse().unwrap(), options.clone());
        for error in [connector().start().err().unwrap(), connector().connect().err().unwrap()] {
            assert!(matches!(
                error,
                AccountError::Options(OptionsError::Invalid(_) | OptionsError::Session(_))
            ));
            assert!(error.to_string().starts_with(field), "{field}: {error}");
        }
    }
}

#[test]
fn a_connector_refuses_a_configuration_that_cannot_work() {
    let smsc = TestSmsc::in_memory().unwrap();
    for (connector, field) in [
        (smsc.connector().config(Config::DEFAULT.window(0)), "window"),
        (smsc.connector().config(Config::DEFAULT.response_timeout(Duration::ZERO)), "response_timeout"),
        (smsc.connector().config(Config::default().rate(Rate::per_second(0))), "rate"),
        (smsc.connector().timeout(Duration::ZERO), "timeout"),
    ] {
        let connected = connector.connect(&smsc.endpoint()).err().unwrap();
        for error in [connected, connector.start(&smsc.endpoint()).err().unwrap()] {
            assert!(
                matches!(error.kind, ConnectErrorKind::Config(error) if error.option == field),
                "{error}"
            );
            assert!(error.to_string().contains(": set "), "{error}");
        }
    }
    assert!(smsc.log().is_empty(), "no connection was made");
}

#[test]
fn a_server_refuses_limits_and_configurations_that_cannot_work() {
    let config = Config::DEFAULT.max_unanswered(0);
    assert_eq!(named(&Listener::bind("127.0.0.1:0", config).unwrap_err()), "max_unanswered");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::builder(Nobody).listen(Listener::new(socket, config));
    assert_eq!(named(&server.start().unwrap_err()), "max_unanswered");
    for (limits, field) in [
        (ServerLimits::default().rate(Rate::per_second(0)), "rate"),
        (ServerLimits::default().account_rate(Rate::per_second(0)), "account_rate"),
    ] {
        assert_eq!(named(&Server::builder(Nobody).limits(limits).start().unwrap_err()), field);
    }
}

#[test]
fn the_test_smsc_refuses_rules_and_faults_that_cannot_work() {
    let builder = || TestSmsc::builder().in_memory();
    let error = builder().faults(Faults::DEFAULT.drop_percent(200)).start().unwrap_err();
    assert_eq!(error.to_string(), "drop_percent is above 100: set it to 0 to 100");
    assert_eq!(named(&error), "drop_percent");
    let no_window = Rules::default().dialect(Dialect::default().window(0));
    for (rules, field) in [
        (Rules::default().throttled_percent(101), "throttled_percent"),
        (Rules::default().rate(Rate::per_second(0)), "rate"),
        (no_window, "dialect.window"),
    ] {
        assert_eq!(named(&builder().rules(rules).start().unwrap_err()), field);
    }
    let smsc = builder().start().unwrap();
    assert_eq!(smsc.set_faults(Faults::DEFAULT.cut_percent(101)).unwrap_err().option, "cut_percent");
    assert_eq!(smsc.faults(), Faults::default(), "they are unchanged");
    let error = smsc.change_rules(|rules| rules.throttled_percent = 101).unwrap_err();
    assert_eq!(error.option, "throttled_percent");
}

/// The module `testing` has all types that its methods take.
#[test]
fn a_test_needs_no_other_module_than_testing() {
    let states = StateWeights::all(MessageState::EXPIRED);
    let rules = Rules::default().receipt_timing(ReceiptTiming::Never).states(states);
    let smsc = TestSmsc::builder().rules(rules).in_memory().start().unwrap();
    let message = MoMessage::new("+6591234567", "8888", "Hello").account("who");
    let error = smsc.deliver_message(&message).unwrap_err();
    assert!(matches!(error, DeliverError::NotSent(OriginateError::NoAccount)));
}

#[test]
fn a_message_of_a_phone_for_an_account_without_a_receiving_bind_says_so() {
    let limit = Duration::from_millis(20);
    let smsc = TestSmsc::builder().wait_limit(limit).in_memory().start().unwrap();
    let error = smsc.deliver("+6591234567", "8888", "Hello").unwrap_err();
    let text = error.to_string();
    let DeliverError::NoBind { system_id, waited, .. } = error else { panic!("{text}") };
    assert_eq!((&*system_id, waited.limit()), ("demo_shop", limit));
    assert!(text.contains("the account \"demo_shop\" has no bind that receives"), "{text}");
    // A client that receives and does not respond is another reason.
    let (client, _inbox) = smsc.connector().start(&smsc.endpoint()).unwrap();
    client.bind(&Bind { mode: BindMode::Receiver, ..smsc.bind() }).unwrap();
    let error = smsc.deliver("+6591234567", "8888", "Hello").unwrap_err();
    assert!(matches!(error, DeliverError::Timeout(_)), "{error}");
}
