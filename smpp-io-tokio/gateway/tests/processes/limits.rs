//! Limits: of streams, of binds, and of the life of a node that is stopped.

use serde_json::json;

use super::harness::{ACCOUNT, World, until};
use super::node_process::NodeProcess;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_full_queue_is_refused_at_the_publisher_and_loses_nothing() {
    let mut world = World::start("full").await;
    // The node creates the streams, and ends.
    let mut node = NodeProcess::start(world.command(None).args(["--send-mib", "1"]));
    world.wait_for_binds(4).await;
    node.signal("-TERM").await;
    assert!(node.end().await.success());
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
    let node = NodeProcess::start(world.command(None).args(["--send-mib", "1"]));
    world.nodes.push(node);
    until("each entry is reported", async || {
        let events = world.events().await;
        let large = events.iter().filter(|(kind, _, event)| {
            kind == "invalid" && event["key"].as_str().is_some_and(|key| key.starts_with("large-"))
        });
        (large.count() == stored).then_some(())
    })
    .await;
    world.publish(100).await;
    world.wait_for("the messages", |seen| seen.accepted.len() == 100).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_stopped_process_does_not_outlive_its_leases() {
    let mut world = World::start("stopped").await;
    world.add_node();
    world.wait_for_binds(4).await;
    world.publish_and_send(100).await;
    // SIGSTOP: the kernel keeps its connections. The other node gets the leases once they have ended, and the SMSC refuses its
    // binds as long as it has those of the first.
    world.nodes[0].signal("-STOP").await;
    world.add_node();
    world.publish_until("a bind of the other node is refused", |seen| seen.refused > 0).await;
    assert_eq!((world.seen.borrow().most_binds, world.seen.borrow().ended), (4, 0));
    // It wakes up: its leases are over, and it closes its connections before it does anything else.
    world.nodes[0].signal("-CONT").await;
    world.publish_until("the binds of the other node", |seen| seen.ended >= 4 && seen.binds == 4).await;
    world.seen.send_modify(|seen| seen.refused = 0);
    world.wait_for_a_bind_on_each_node(2).await;
    world.publish(100).await;
    let counts = world.compare().await;
    assert!(counts.contains_key("accepted"), "{counts:?} of {}", ACCOUNT.0);
}
