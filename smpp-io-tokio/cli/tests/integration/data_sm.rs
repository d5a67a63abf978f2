//! `smpp receive` and `smpp send` with an SMSC that delivers messages and receipts in data_sm.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;

use serde_json::Value;
use smpp_proto::session::{Config, Smsc};
use smpp_proto::{Address, BindMode, COctets, CommandStatus, DataSm, EsmClass, SubmitSmResp, Tag, Tlv, Tlvs};
use smpp_std::{
    Admission, BindRequest, BoundSession, HandleRoute, Inbound, Listener, Server, ServerEvent, Service,
};

use crate::common::{new_file, smpp, with_timeout};

/// An SMSC that sends a message and a receipt to each receiver, and the receipt of each submit_sm behind its response.
struct ByDataSm;

impl Service for ByDataSm {
    fn bind(&self, _: &BindRequest) -> Result<Admission, CommandStatus> {
        Ok(Admission::default())
    }

    fn request(&self, bound: &BoundSession, request: Inbound<HandleRoute<Smsc>>) {
        if let Inbound::SubmitSm(message) = request {
            let message_id = COctets::new(b"4711").unwrap();
            message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
            deliver(bound);
        }
    }

    fn event(&self, event: ServerEvent<'_>) {
        if let ServerEvent::Bound(bound) = event
            && bound.mode() == BindMode::Receiver
        {
            deliver(bound);
        }
    }
}

/// Delivers a message and a receipt of the message 4711 in a thread of their own.
fn deliver(bound: &BoundSession) {
    let bound = bound.clone();
    thread::spawn(move || {
        let text = [Tlv::new(Tag::MESSAGE_PAYLOAD, b"Hello").unwrap()];
        let receipt = [
            Tlv::new(Tag::RECEIPTED_MESSAGE_ID, b"4711\0").unwrap(),
            Tlv::new(Tag::MESSAGE_STATE, &[2]).unwrap(),
        ];
        for (esm_class, tlvs) in [(EsmClass::default(), &text[..]), (EsmClass::DELIVERY_RECEIPT, &receipt)] {
            let source = Address::international("6591234567").unwrap().into();
            let message = DataSm { source, esm_class, tlvs: Tlvs::list(tlvs), ..DataSm::default() };
            let _ = bound.peer().request(&message);
        }
    });
}

fn server() -> (Server, String) {
    let listener = Listener::bind("127.0.0.1:0", Config::default()).unwrap();
    let server = Server::builder(ByDataSm).listen(listener).start().unwrap();
    let url = format!("smpp://shop:s3cret@{}", server.local_addrs()[0]);
    (server, url)
}

#[test]
fn a_receiver_stores_messages_and_receipts_of_data_sm() {
    with_timeout(|| {
        for adapter in [&[][..], &["--blocking"]] {
            let file = new_file("data_sm");
            let (_server, url) = server();
            let path = file.to_str().unwrap();
            let mut receiver = smpp(&[&["receive", "--url", &url, "--file", path], adapter].concat())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let lines = BufReader::new(receiver.stdout.as_mut().unwrap()).lines();
            let lines: Vec<_> = lines.take(2).map(Result::unwrap).collect();
            receiver.kill().unwrap();
            receiver.wait().unwrap();
            assert_eq!(lines, ["message     from 6591234567 to : Hello", "receipt     4711: DELIVERED"]);
            let stored = fs::read_to_string(&file).unwrap();
            let stored: Vec<Value> = stored.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!((&stored[0]["text"], &stored[0]["receipt"]), (&"48656c6c6f".into(), &false.into()));
            assert_eq!((&stored[1]["message_id"], &stored[1]["receipt"]), (&"4711".into(), &true.into()));
            fs::remove_file(&file).unwrap();
        }
    });
}

#[test]
fn a_sender_takes_its_receipt_of_data_sm_and_leaves_a_message() {
    with_timeout(|| {
        for adapter in [&[][..], &["--blocking"]] {
            let (_server, url) = server();
            let send = ["send", "--url", &url, "--to", "6591234567", "--text", "Hi"];
            let output = smpp(&[&send, adapter].concat()).output().unwrap();
            let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(output.status.success() && text.contains("segment 1/1: DELIVERED"), "{text}");
            assert!(
                text.contains("left at the SMSC, as it is for a receiver: a message from 6591234567: Hello")
            );
        }
    });
}
