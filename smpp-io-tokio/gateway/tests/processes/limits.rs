//! Limits: of streams, of access to NATS, of binds, and of the life of a node that is stopped.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::harness::{ACCOUNT, LEASE_SECONDS, World};
use super::{seconds, signal};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_node_reaches_nats_with_tls_and_a_password() {
    let mut world = World::start_secured("tls").await;
    let url = format!("tls://shop:s3cret@127.0.0.1:{}", world.nats_port());
    let ca = world.folder().join("ca.pem");
    // Without the certificate of the issuer, or with another password, there is no connection: the log says why.
    let stranger = format!("tls://shop:other@127.0.0.1:{}", world.nats_port());
    for (url, ca, reason) in [(&url, None, "NATS: client error"), (&stranger, Some(&ca), "authorization")] {
        let mut command = world.command(None);
        command.args(["--nats", url]).stderr(Stdio::piped());
        if let Some(ca) = ca {
            command.arg("--nats-ca").arg(ca);
        }
        let node = command.spawn().unwrap();
        sleep(seconds(2)).await;
        signal(&node, "-TERM").await;
        let output = timeout(seconds(20), node.wait_with_output()).await.expect("it ends").unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(log.contains(reason) && !log.contains("NATS is connected"), "{log}");
        assert!(!log.contains("s3cret") && !log.contains("other@"), "{log}");
    }
    let node = world.command(None).args(["--nats", &url]).arg("--nats-ca").arg(&ca).spawn().unwrap();
    world.nodes.push(node);
    world.wait_for_binds(4).await;
    world.publish_for(seconds(1)).await;
    let counts = world.compare().await;
    assert_eq!(counts.len(), 1, "{counts:?}");
}

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
