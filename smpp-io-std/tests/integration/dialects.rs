//! The dialects of the test SMSC, from the view of a client.

use std::time::Duration;

use crate::common::watched;
use smpp_proto::simulator::{Dialect, Rules};
use smpp_proto::tlv::Tag;
use smpp_proto::{Address, CommandStatus, RegisteredDelivery, ShortMessage, SubmitSm};
use smpp_std::testing::TestSmsc;
use smpp_std::{Connector, Inbound};

fn smsc(dialect: &str) -> TestSmsc {
    let dialect: Dialect = dialect.parse().unwrap();
    let rules = Rules::default().dialect(dialect).receipt_delay(Duration::from_millis(10)).max_binds(1);
    TestSmsc::builder().rules(rules).start().unwrap()
}

#[test]
fn responses_and_receipts_are_those_of_the_dialect() {
    watched(|| {
        let smsc = smsc(
            "version=none,ids=hex,text-ids=dec14,response-tlv=0x1400:4142,bind-status=RBINDFAIL,\
                         one-at-a-time=yes,intermediate=ENROUTE",
        );
        let mut connection = Connector::new().connect(&smsc.endpoint()).unwrap();
        let bound = connection.bind(&smsc.bind()).unwrap();
        assert_eq!(bound.bind_resp().tlvs.sc_interface_version(), None);
        let mut second = Connector::new().connect(&smsc.endpoint()).unwrap();
        assert_eq!(second.bind(&smsc.bind()).unwrap_err().status(), Some(CommandStatus::RBINDFAIL));
        let message = SubmitSm {
            destination: Address::international("6591234567").unwrap(),
            registered_delivery: RegisteredDelivery::RECEIPT,
            short_message: ShortMessage::new(b"Hello").unwrap(),
            ..SubmitSm::default()
        };
        let response = connection.submit(&message).unwrap();
        assert_eq!(response.tlv(Tag(0x1400)), Some(&b"AB"[..]));
        let number = std::str::from_utf8(response.message_id()).unwrap();
        let number = u64::from_str_radix(number, 16).unwrap();
        // The second receipt follows the response to the first one.
        for state in ["ENROUTE", "DELIVRD"] {
            let Ok(Some(Inbound::DeliverSm(receipt))) = connection.recv(None) else { panic!() };
            let text = String::from_utf8(receipt.get().text().to_vec()).unwrap();
            assert!(text.starts_with(&format!("id:{number:014} ")) && text.contains(state), "{text}");
            connection.accept(receipt).unwrap();
        }
    });
}
