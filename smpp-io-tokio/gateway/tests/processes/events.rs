//! Events: each once, whenever it is told again; parts of messages from phones whose others never come; keys that are forgotten.

use std::time::Duration;

use async_nats::jetstream;
use serde_json::json;
use smpp_gateway::names::Names;
use smpp_gateway::nats::{Engine, connect, create_streams};
use smpp_gateway::node::{
    AckToken, Attempt, Event, EventKind, Group, Outcome, PhonePart, Priority, Reply, Request,
};
use smpp_gateway::settings::Settings;
use smpp_proto::sms::Codings;
use smpp_proto::{Address, DeliverSm, EsmClass, ShortMessage};
use tokio::time::{Instant, sleep};

use super::harness::{ACCOUNT, World, nats_settings};
use super::seconds;

/// A part of a message with the reference 7, as a phone sends it.
async fn deliver(world: &World, number: u8, text: &str) {
    let octets = [&[5, 0, 3, 7, 3, number][..], text.as_bytes()].concat();
    let message = DeliverSm {
        source: Address::international("6591234567").unwrap(),
        destination: Address::international("6588880000").unwrap(),
        esm_class: EsmClass::UDHI,
        short_message: ShortMessage::new(&octets).unwrap(),
        ..DeliverSm::default()
    };
    let smsc = world.smsc.as_ref().unwrap();
    smsc.binds().deliver(ACCOUNT.0.as_bytes(), &message).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_message_from_a_phone_whose_parts_do_not_all_come_is_told_with_what_there_is() {
    let mut world = World::start("incomplete").await;
    for _ in 0..2 {
        let node = world.command(None).args(["--part-seconds", "4"]).spawn().unwrap();
        world.nodes.push(node);
    }
    world.wait_for_binds(4).await;
    deliver(&world, 1, "Left alone, ").await;
    deliver(&world, 3, "without a middle").await;
    // The same reference again, before the first message is given up: it is not mixed with the other.
    deliver(&world, 1, "Whole ").await;
    deliver(&world, 2, "mess").await;
    deliver(&world, 3, "age").await;
    deliver(&world, 2, "Alone").await;
    let end = Instant::now() + seconds(30);
    let events = loop {
        let events = world.events().await;
        let messages: Vec<_> = events.into_iter().filter(|(kind, ..)| kind == "message").collect();
        if messages.len() == 3 {
            break messages;
        }
        assert!(Instant::now() < end, "{messages:?}");
        sleep(Duration::from_millis(200)).await;
    };
    let told =
        |index: usize| (&events[index].2["text"], &events[index].2["parts"], &events[index].2["missing"]);
    assert_eq!(told(0), (&json!("Left alone, without a middle"), &json!(3), &json!([2])));
    assert_eq!(told(1), (&json!("Whole message"), &json!(3), &json!(null)));
    assert_eq!(told(2), (&json!("Alone"), &json!(3), &json!([1, 3])));
    // What the SMSC delivers again was told.
    deliver(&world, 2, "Alone").await;
    sleep(seconds(6)).await;
    assert_eq!(world.events().await.iter().filter(|(kind, ..)| kind == "message").count(), 3);
}

/// An engine whose keys are remembered for a second, and NATS remembers the ids of messages as long.
async fn engine(world: &World) -> Engine {
    let client =
        connect(&nats_settings(format!("nats://127.0.0.1:{}", world.nats_port())), "test").await.unwrap();
    let names = Names::new("other");
    let arguments = ["run", "--url=smpp://other@localhost", "--duplicate-seconds=1"];
    let command = <Settings as clap::Args>::augment_args(clap::Command::new("run"));
    let settings = <Settings as clap::FromArgMatches>::from_arg_matches(&command.get_matches_from(arguments));
    create_streams(&client, &names, &settings.unwrap().streams()).await.unwrap();
    let second = seconds(1);
    let opened = Engine::open(client, names, "me".into(), seconds(5), (second, second), Codings::default());
    Box::pin(opened).await.unwrap()
}

fn attempt(sequence: u64) -> Attempt {
    let outcome = Some(Outcome::new(EventKind::Refused, "no"));
    Attempt { node: "me".into(), nonce: 1, sequence, sent_before: 0, outcome }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn an_event_is_stored_once_also_when_nats_has_forgotten_its_id() {
    let world = World::start("events-once").await;
    let engine = engine(&world).await;
    let event = |sequence| {
        let outcome = Outcome::new(EventKind::Refused, "no");
        Request::Publish(Box::new(Event::outcome("order.1", sequence, outcome)))
    };
    let stored = engine.request(event(1)).await;
    assert!(matches!(stored, Reply::Done(1)), "{stored:?}");
    sleep(seconds(3)).await;
    assert_eq!(engine.request(event(1)).await, Reply::Conflict);
    // The key is used again for another message.
    let stored = engine.request(event(2)).await;
    assert!(matches!(stored, Reply::Done(2)), "{stored:?}");
    // A group is written by one of two that know the same revision.
    let write = |revision, digest: &str| {
        let part = PhonePart {
            group: "group".into(),
            number: 1,
            total: 2,
            digest: digest.into(),
            from: String::new(),
            to: String::new(),
            data_coding: 0,
            esm_class: 0,
            octets: String::new(),
        };
        let content = Box::new(Group { parts: vec![part], ..Group::default() });
        Request::WriteGroup { group: "group".into(), revision, content }
    };
    let Reply::Done(revision) = engine.request(write(0, "a")).await else { panic!() };
    assert_eq!(engine.request(write(0, "b")).await, Reply::Conflict);
    assert!(matches!(engine.request(write(revision, "c")).await, Reply::Done(_)));
    let Reply::Group(Some((revision, group))) =
        engine.request(Request::ReadGroup { group: "group".into() }).await
    else {
        panic!()
    };
    assert_eq!(group.parts[0].digest, "c");
    assert_eq!(engine.request(Request::ListGroups { age: seconds(600) }).await, Reply::Groups(Vec::new()));
    sleep(seconds(1)).await;
    lives(&engine).await;
    let old = engine.request(Request::ListGroups { age: Duration::from_millis(500) }).await;
    assert_eq!(old, Reply::Groups(vec![("group".into(), revision)]));
    // The digests of what was told do not get older than that by new parts of the group.
    let told = group.clone().after_telling();
    let content = Box::new(Group { parts: group.parts.clone(), ..told.clone() });
    let write = Request::WriteGroup { group: "group".into(), revision, content };
    let Reply::Done(revision) = engine.request(write).await else { panic!() };
    let told_now = async || match engine.request(Request::ReadGroup { group: "group".into() }).await {
        Reply::Group(Some((_, group))) => group.told.len(),
        reply => panic!("{reply:?}"),
    };
    assert_eq!(told_now().await, 1);
    sleep(seconds(3)).await;
    assert_eq!(told_now().await, 0);
    // One without parts disappears by itself.
    let content = Box::new(group.after_telling());
    let written = engine.request(Request::WriteGroup { group: "group".into(), revision, content }).await;
    assert!(matches!(written, Reply::Done(_)), "{written:?}");
    sleep(seconds(3)).await;
    assert_eq!(engine.request(Request::ReadGroup { group: "group".into() }).await, Reply::Group(None));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_key_is_remembered_for_as_long_as_the_queue_has_an_older_message() {
    let world = World::start("forget").await;
    let engine = engine(&world).await;
    let names = Names::new("other");
    let context = jetstream::new(
        connect(&nats_settings(format!("nats://127.0.0.1:{}", world.nats_port())), "test").await.unwrap(),
    );
    context.publish(names.send("normal"), "an old message".into()).await.unwrap().await.unwrap();
    let write = async |key: &str| {
        let request = Request::WriteAttempt { key: key.into(), revision: 0, attempt: attempt(1) };
        assert!(matches!(engine.request(request).await, Reply::Done(_)));
    };
    let known = async |key: &str| {
        let reply = engine.request(Request::ReadAttempt { key: key.into() }).await;
        let Reply::Attempt(found) = reply else { panic!("{reply:?}") };
        found.is_some()
    };
    write("first").await;
    write("second").await;
    // The time that keys are remembered, and how far the clocks of servers may differ.
    sleep(seconds(13)).await;
    write("third").await;
    assert_eq!(engine.request(Request::ForgetKeys).await, Reply::Done(0));
    assert!(known("first").await && known("second").await && known("third").await);
    // The old message leaves the queue. Now the nodes say what time it is.
    let queue = engine.queue(Priority::Normal).unwrap();
    let mut batch = queue.fetch().max_messages(1).messages().await.unwrap();
    let message = futures_util::StreamExt::next(&mut batch).await.unwrap().unwrap();
    let (_, acker) = message.split();
    engine.keep(AckToken(1), acker);
    assert_eq!(engine.request(Request::Acknowledge(AckToken(1))).await, Reply::Done(0));
    lives(&engine).await;
    assert_eq!(engine.request(Request::ForgetKeys).await, Reply::Done(0));
    assert!(!known("first").await && !known("second").await && known("third").await);
    // Also if nothing is sent any more.
    sleep(seconds(13)).await;
    lives(&engine).await;
    assert_eq!(engine.request(Request::ForgetKeys).await, Reply::Done(0));
    assert!(!known("third").await);
}

/// A node says that it lives: this is how the engine knows the time.
async fn lives(engine: &Engine) {
    let reply = engine.request(Request::PutNode { binds: 0, leaving: false }).await;
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}
