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

use super::harness::{ACCOUNT, World, nats_settings, until};
use super::node_process::NodeProcess;
use super::seconds;

/// A part of a message with a reference, as a phone sends it.
async fn deliver(world: &World, (reference, number): (u8, u8), text: &str) {
    let octets = [&[5, 0, 3, reference, 3, number][..], text.as_bytes()].concat();
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
        let node = NodeProcess::start(world.command(None).args(["--part-seconds", "4"]));
        world.nodes.push(node);
    }
    world.wait_for_binds(4).await;
    deliver(&world, (7, 1), "Left alone, ").await;
    deliver(&world, (7, 3), "without a middle").await;
    // The same reference again, before the first message is given up: it is not mixed with the other.
    deliver(&world, (7, 1), "Whole ").await;
    deliver(&world, (7, 2), "mess").await;
    deliver(&world, (7, 3), "age").await;
    deliver(&world, (7, 2), "Alone").await;
    let messages = async |count| {
        until("the messages are reported", async || {
            let events = world.events().await;
            let messages: Vec<_> = events.into_iter().filter(|(kind, ..)| kind == "message").collect();
            (messages.len() >= count).then_some(messages)
        })
        .await
    };
    let events = messages(3).await;
    assert_eq!(events.len(), 3);
    let told =
        |index: usize| (&events[index].2["text"], &events[index].2["parts"], &events[index].2["missing"]);
    assert_eq!(told(0), (&json!("Left alone, without a middle"), &json!(3), &json!([2])));
    assert_eq!(told(1), (&json!("Whole message"), &json!(3), &json!(null)));
    assert_eq!(told(2), (&json!("Alone"), &json!(3), &json!([1, 3])));
    // What the SMSC delivers again was told: it would be told again before what comes after it.
    deliver(&world, (7, 2), "Alone").await;
    deliver(&world, (8, 2), "Another").await;
    let events = messages(4).await;
    assert_eq!((events.len(), &events[3].2["text"]), (4, &json!("Another")));
}

/// An engine whose keys are remembered for a second, and NATS remembers the ids of messages as long.
async fn engine(world: &World, account: &str) -> Engine {
    let client =
        connect(&nats_settings(format!("nats://127.0.0.1:{}", world.nats_port())), "test").await.unwrap();
    let names = Names::new(account);
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
    let engine = engine(&world, "other").await;
    let event = |sequence| {
        let outcome = Outcome::new(EventKind::Refused, "no");
        Request::Publish(Box::new(Event::outcome("order.1", sequence, outcome)))
    };
    let stored = engine.request(event(1)).await;
    assert!(matches!(stored, Reply::Done(1)), "{stored:?}");
    until("NATS has forgotten the id", async || match engine.request(event(1)).await {
        // NATS reports the event that it has.
        Reply::Done(1) => None,
        reply => {
            assert_eq!(reply, Reply::Conflict);
            Some(())
        }
    })
    .await;
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
    until("the group is old", async || {
        lives(&engine).await;
        match engine.request(Request::ListGroups { age: Duration::from_millis(500) }).await {
            Reply::Groups(none) if none.is_empty() => None,
            old => {
                assert_eq!(old, Reply::Groups(vec![("group".into(), revision)]));
                Some(())
            }
        }
    })
    .await;
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
    until("the digests are forgotten", async || (told_now().await == 0).then_some(())).await;
    // One without parts disappears by itself.
    let content = Box::new(group.after_telling());
    let written = engine.request(Request::WriteGroup { group: "group".into(), revision, content }).await;
    assert!(matches!(written, Reply::Done(_)), "{written:?}");
    until("the group has disappeared", async || {
        let reply = engine.request(Request::ReadGroup { group: "group".into() }).await;
        (reply == Reply::Group(None)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_key_is_remembered_for_as_long_as_the_queue_has_an_older_message() {
    let world = World::start("forget").await;
    let engine = engine(&world, "other").await;
    let names = Names::new("other");
    let context = jetstream::new(
        connect(&nats_settings(format!("nats://127.0.0.1:{}", world.nats_port())), "test").await.unwrap(),
    );
    context.publish(names.send("normal"), "an old message".into()).await.unwrap().await.unwrap();
    write(&engine, "first").await;
    write(&engine, "second").await;
    // A younger key of an account whose queue is empty is forgotten: the keys before it are old enough.
    let control = self::engine(&world, "control").await;
    write(&control, "control").await;
    until_forgotten(&control, "control").await;
    write(&engine, "third").await;
    lives(&engine).await;
    assert_eq!(engine.request(Request::ForgetKeys).await, Reply::Done(0));
    for key in ["first", "second", "third"] {
        assert!(is_known(&engine, key).await, "{key}");
    }
    // The old message leaves the queue. Now the nodes say what time it is.
    let queue = engine.queue(Priority::Normal).unwrap();
    let mut batch = queue.fetch().max_messages(1).messages().await.unwrap();
    let message = futures_util::StreamExt::next(&mut batch).await.unwrap().unwrap();
    let (_, acker) = message.split();
    engine.keep(AckToken(1), acker);
    assert_eq!(engine.request(Request::Acknowledge(AckToken(1))).await, Reply::Done(0));
    lives(&engine).await;
    assert_eq!(engine.request(Request::ForgetKeys).await, Reply::Done(0));
    let known = [is_known(&engine, "first").await, is_known(&engine, "second").await];
    assert!(known == [false; 2] && is_known(&engine, "third").await);
    // Also if nothing is sent any more.
    until_forgotten(&engine, "third").await;
}

async fn write(engine: &Engine, key: &str) {
    let request = Request::WriteAttempt { key: key.into(), revision: 0, attempt: attempt(1) };
    assert!(matches!(engine.request(request).await, Reply::Done(_)));
}

async fn is_known(engine: &Engine, key: &str) -> bool {
    let reply = engine.request(Request::ReadAttempt { key: key.into() }).await;
    let Reply::Attempt(found) = reply else { panic!("{reply:?}") };
    found.is_some()
}

/// Waits for the time that keys are remembered, and how far the clocks of servers may differ.
async fn until_forgotten(engine: &Engine, key: &str) {
    until("the key is forgotten", async || {
        lives(engine).await;
        assert_eq!(engine.request(Request::ForgetKeys).await, Reply::Done(0));
        (!is_known(engine, key).await).then_some(())
    })
    .await;
}

/// A node says that it lives: this is how the engine knows the time.
async fn lives(engine: &Engine) {
    let reply = engine.request(Request::PutNode { binds: 0, leaving: false }).await;
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
}
