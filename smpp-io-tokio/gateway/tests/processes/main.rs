//! Nodes as real processes, with a real NATS server and an SMSC with the rules of 8x8: kills, restarts, cuts. Afterwards the
//! events are compared with what the SMSC has seen, message by message.
//!
//! `NATS_SERVER` names the program of the server, `KILLS` how many nodes are killed (10), `LOG=1` shows the logs of the nodes.
//! `.ci/gateway` installs the server and runs all.

mod access;
mod events;
mod harness;
mod limits;
mod node_process;
mod proxy;
mod stopping;

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use smpp_proto::{Address, MessageState};
use tokio::time::timeout;

use harness::{ACCOUNT, World, until};
use proxy::Proxy;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn nodes_that_are_killed_lose_nothing() {
    let kills: usize = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10);
    let mut world = World::start("kills").await;
    for _ in 0..3 {
        world.add_node();
    }
    world.wait_for_binds(4).await;
    for kill in 0..kills {
        world.publish_and_send(100).await;
        write_from_phone(&world, kill);
        // The newest of these are in flight when it is killed.
        world.publish(20 + 7 * kill % 30).await;
        let index = kill % world.nodes.len();
        world.nodes[index].kill().await;
        world.publish(50).await;
        world.nodes[index] = world.spawn_node(None);
    }
    world.publish(200).await;
    let counts = world.compare().await;
    assert!(counts.contains_key("accepted"));
    // Two windows of ten on each of four binds.
    let uncertain = counts.get("uncertain").copied().unwrap_or_default();
    assert!(uncertain <= kills * 2 * 10 * 4, "{uncertain} messages are uncertain");
    compare_phones(&world, kills).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_node_whose_leases_would_live_longer_does_not_start() {
    let mut world = World::start("settings").await;
    world.add_node();
    world.wait_for_binds(4).await;
    for (option, count) in [
        ("--lease-seconds", "30"),
        ("--ack-seconds", "60"),
        ("--duplicate-seconds", "9"),
        ("--max-binds", "5"),
        ("--key-hours", "2"),
    ] {
        let mut command = world.command(None);
        let ended = timeout(seconds(20), command.args([option, count]).stderr(Stdio::piped()).output());
        let output = ended.await.expect("it ends at once").unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(option) && error.contains("created"), "{error}");
    }
    world.publish(100).await;
    world.compare().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_nats_server_that_is_killed_loses_nothing() {
    let mut world = World::start("nats").await;
    world.add_node();
    world.add_node();
    world.wait_for_binds(4).await;
    for kill in 1..=3 {
        // A node that is not connected again would not miss the server.
        for node in &world.nodes {
            node.wait_for_log("NATS is connected", kill).await;
        }
        world.publish_and_send(200).await;
        world.kill_nats(0).await;
        for node in &world.nodes {
            node.wait_for_log("NATS is not connected", kill).await;
        }
        world.restart_nats(0);
    }
    world.publish(200).await;
    let counts = world.compare().await;
    assert!(counts.contains_key("accepted"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn the_leader_of_a_cluster_that_is_killed_loses_nothing() {
    let mut world = World::start_cluster("cluster").await;
    world.add_node();
    world.add_node();
    world.wait_for_binds(4).await;
    let streams = [
        world.names.stream("SEND"),
        world.names.stream("EVENT"),
        world.names.bucket_stream("ATTEMPTS"),
        world.names.bucket_stream("BINDS"),
    ];
    for stream in &streams {
        world.publish_and_send(100).await;
        let leader = world.leader(stream).await;
        world.kill_nats(leader).await;
        world.publish(200).await;
        world.restart_nats(leader);
        // A cluster of which two servers are away can store nothing.
        for stream in &streams {
            world.wait_for_replicas(stream).await;
        }
    }
    world.wait_for_binds(4).await;
    let counts = world.compare().await;
    assert!(counts.contains_key("accepted"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn an_smsc_that_restarts_leaves_no_message_without_an_outcome() {
    let mut world = World::start("smsc").await;
    world.add_node();
    world.add_node();
    world.wait_for_binds(4).await;
    world.publish(100).await;
    // The receipts that the SMSC has not delivered are lost with it: it restarts once all have come.
    world.compare().await;
    world.restart_smsc().await;
    world.publish(100).await;
    let counts = world.compare().await;
    assert!(counts.contains_key("accepted"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_node_without_nats_gives_up_its_binds_before_another_takes_them() {
    let mut world = World::start("cut").await;
    let proxy = Proxy::start(world.nats_port()).await;
    let node = world.spawn_node(Some(proxy.port()));
    world.nodes.push(node);
    world.wait_for_binds(4).await;
    world.publish_and_send(100).await;
    // The node is cut off from NATS, and not from the SMSC. Another node takes the leases once they have ended: if the first one
    // still had its binds, the SMSC would refuse one, which the comparison finds.
    proxy.cut();
    world.add_node();
    world.publish_until("the binds of the other node", |seen| seen.ended == 4 && seen.binds == 4).await;
    world.publish_and_send(100).await;
    proxy.heal();
    world.publish_and_send(100).await;
    world.wait_for_a_bind_on_each_node(2).await;
    world.publish(100).await;
    world.compare().await;
    assert_eq!(world.seen.borrow().most_binds, 4);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn one_node_four_nodes_and_one_again() {
    let mut world = World::start("scale").await;
    world.add_node();
    world.wait_for_binds(4).await;
    for nodes in 2..=4 {
        world.add_node();
        world.publish_and_send(100).await;
        world.wait_for_a_bind_on_each_node(nodes).await;
    }
    world.publish_and_send(100).await;
    world.wait_for_binds(4).await;
    // SIGTERM: what is in flight gets its outcome, and nothing is in doubt.
    while world.nodes.len() > 1 {
        let mut node = world.nodes.remove(0);
        world.publish_and_send(100).await;
        node.signal("-TERM").await;
        world.publish(50).await;
        assert!(node.end().await.success());
    }
    world.publish(100).await;
    world.wait_for_binds(4).await;
    let counts = world.compare().await;
    assert_eq!(counts.get("uncertain"), None, "a graceful stop leaves nothing in doubt");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn messages_from_phones_whose_parts_come_on_several_nodes_are_whole() {
    let mut world = World::start("phones").await;
    for _ in 0..4 {
        world.add_node();
    }
    world.wait_for_binds(4).await;
    world.wait_for_a_bind_on_each_node(4).await;
    world.wait_for_binds(4).await;
    for number in 0..20 {
        write_from_phone(&world, number);
    }
    compare_phones(&world, 20).await;
}

/// Returns the text of the phone of this number: it takes several parts.
fn phone_text(number: usize) -> String {
    format!("Message {number}. {}", "A text of several parts. ".repeat(20))
}

/// The phone sends its text. The SMSC delivers each part on any bind.
fn write_from_phone(world: &World, number: usize) {
    let phone = format!("65910{number:05}");
    let from = Address::international(&phone).unwrap();
    let to = Address::international("6588880000").unwrap();
    let smsc = world.smsc.as_ref().unwrap();
    assert!(smsc.originate(ACCOUNT.0, from, to, &phone_text(number)).unwrap() > 1);
}

/// The text of each of so many phones is told, whole and once.
async fn compare_phones(world: &World, count: usize) {
    let is_message = |event: &&(String, String, Value)| event.0 == "message";
    let events = until("all messages are reported", async || {
        // A part is acknowledged once it is stored, and the last one once the message is reported: nothing comes after that.
        let is_acknowledged = world.smsc.as_ref().unwrap().pending() == 0;
        let events = world.events().await;
        (is_acknowledged && events.iter().filter(is_message).count() >= count).then_some(events)
    })
    .await;
    let mut told: Vec<&Value> = events.iter().filter(is_message).map(|(.., value)| value).collect();
    told.sort_by_key(|value| value["from"].as_str().unwrap().to_owned());
    assert_eq!(told.len(), count);
    for (number, value) in told.into_iter().enumerate() {
        assert_eq!(value["from"], format!("+65910{number:05}"));
        assert_eq!(value["to"], "+6588880000");
        assert_eq!(value["text"].as_str(), Some(&*phone_text(number)));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn what_is_no_message_is_reported_and_stops_nothing() {
    let mut world = World::start("invalid").await;
    world.add_node();
    world.wait_for_binds(4).await;
    let subject = world.names.send("normal");
    let bad = [
        "Hello".to_owned(),
        json!({"key": "a", "to": "somebody", "text": "Hello"}).to_string(),
        json!({"key": "b", "to": "+6591234567", "text": "Hello", "prio": 1}).to_string(),
        // No alphabet of class 0 has 300 segments.
        json!({"key": "c", "to": "+6591234567", "text": "Hello".repeat(10_000)}).to_string(),
    ];
    for payload in bad {
        world.context.publish(subject.clone(), payload.into()).await.unwrap().await.unwrap();
    }
    let old = json!({"key": "d", "to": "+6591234567", "text": "Hello", "deadline": "2020-01-31T12:00:00Z"});
    world.context.publish(subject.clone(), old.to_string().into()).await.unwrap().await.unwrap();
    let good = json!({"key": "e", "to": "+6591234567", "text": "Hello"}).to_string();
    world.context.publish(subject, good.into()).await.unwrap().await.unwrap();
    let events = until("the events are stored", async || {
        let events = world.events().await;
        let is_stored = ["receipt", "expired"].map(|kind| events.iter().any(|(it, ..)| it == kind));
        (is_stored == [true; 2]).then_some(events)
    })
    .await;
    let of = |kind: &str| -> Vec<Value> {
        let all = events.iter().filter(|(it, ..)| it == kind);
        all.map(|(.., value)| value.get("key").cloned().unwrap_or_default()).collect()
    };
    let mut invalid = of("invalid");
    invalid.sort_by_key(ToString::to_string);
    assert_eq!(invalid, [json!("a"), json!("b"), json!("c"), Value::Null]);
    assert_eq!((of("expired"), of("accepted")), (vec![json!("d")], vec![json!("e")]));
    let receipt = events.iter().find(|(kind, ..)| kind == "receipt").unwrap();
    assert_eq!(receipt.2["state"], format!("{:?}", MessageState::DELIVERED));
}

/// Runs a client that publishes a message twice and reads the events about it.
async fn publishes_and_reads(world: &World, program: &str, script: &str, to: &str) {
    let server = format!("nats://127.0.0.1:{}", world.nats_port());
    let client = tokio::process::Command::new(program).args([script, &server, ACCOUNT.0]).output();
    let output = timeout(seconds(60), client).await.expect("the client ends").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[..2], ["published once", "published again"]);
    lines[2..].sort_unstable();
    assert_eq!(lines[2..], ["accepted", "receipt"]);
    assert_eq!(world.seen.borrow().accepted[to], 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server, and Python with nats-py in the variable PYTHON: run .ci/gateway"]
async fn the_python_client_publishes_and_reads() {
    let mut world = World::start("python").await;
    world.add_node();
    world.wait_for_binds(4).await;
    let python = std::env::var("PYTHON").expect("PYTHON names a Python with nats-py");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/processes/client.py");
    publishes_and_reads(&world, &python, script, "6591234567").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server, and the folder of the clients for Node in the variable NODE_CLIENT: run .ci/gateway"]
async fn the_node_client_publishes_and_reads() {
    let mut world = World::start("javascript").await;
    world.add_node();
    world.wait_for_binds(4).await;
    let folder = std::env::var("NODE_CLIENT").expect("NODE_CLIENT names a folder with node_modules");
    // A module is looked for beside the script.
    let script = format!("{folder}/client.mjs");
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/processes/node/client.mjs"), &script).unwrap();
    publishes_and_reads(&world, "node", &script, "6591234568").await;
}
