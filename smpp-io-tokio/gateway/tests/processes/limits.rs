//! Limits: of streams, of binds, and of the life of a node that is stopped.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::harness::{ACCOUNT, LEASE_SECONDS, World};
use super::{seconds, signal};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_full_queue_is_refused_at_the_publisher_and_loses_nothing() {
    let mut world = World::start("full").await;
    // The node creates the streams, and ends.
    let mut node = world.command(None).args(["--send-mib", "1"]).spawn().unwrap();
    world.wait_for_binds(4).await;
    signal(&node, "-TERM").await;
    assert!(timeout(seconds(20), node.wait()).await.expect("it ends").unwrap().success());
    // An entry that nobody reads fills the queue: large texts that are no messages.
    let subject = world.names.send("normal");
    let mut stored = 0;
    let refused = loop {
        let text = json!({"key": format!("large-{stored}"), "text": "x".repeat(100_000)}).to_string();
        match world.context.publish(subject.clone(), text.into()).await.unwrap().await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 20, "the queue has no limit");
    };
    assert!(refused.to_string().contains("maximum bytes exceeded"), "{refused}");
    // A node works the queue off, and reports each entry that was stored; then there is room for messages.
    let node = world.command(None).args(["--send-mib", "1"]).spawn().unwrap();
    world.nodes.push(node);
    world.publish_for(seconds(1)).await;
    sleep(seconds(1)).await;
    let events = world.events().await;
    let large = events.iter().filter(|(kind, _, event)| {
        kind == "invalid" && event["key"].as_str().is_some_and(|key| key.starts_with("large-"))
    });
    assert_eq!(large.count(), stored);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_stopped_process_does_not_outlive_its_leases() {
    let mut world = World::start("stopped").await;
    world.add_node();
    world.wait_for_binds(4).await;
    world.publish_for(seconds(1)).await;
    // SIGSTOP: the kernel keeps its connections. The other node gets the leases once they have ended, and the SMSC refuses its
    // binds as long as it has those of the first.
    signal(&world.nodes[0], "-STOP").await;
    world.add_node();
    world.publish_for(seconds(LEASE_SECONDS + 2)).await;
    assert!(world.seen.lock().unwrap().most_binds <= 4);
    // It wakes up: its leases are over, and it closes its connections before it does anything else.
    signal(&world.nodes[0], "-CONT").await;
    world.publish_for(seconds(3)).await;
    sleep(Duration::from_secs(LEASE_SECONDS)).await;
    world.wait_for_binds(4).await;
    world.seen.lock().unwrap().refused = 0;
    let counts = world.compare().await;
    assert!(counts.contains_key("accepted"), "{counts:?} of {}", ACCOUNT.0);
}
