//! SIGTERM while a node has no NATS yet, or no bind.

#[cfg(unix)]
use std::process::Stdio;

use tokio::net::TcpListener;
use tokio::process::Command;

use super::harness::World;
use super::node_process::NodeProcess;

/// Needs no NATS: nothing answers the node.
#[cfg(unix)]
#[tokio::test]
async fn a_node_that_waits_for_nats_stops_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nats = format!("nats://{}", silent.local_addr().unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_smpp-gateway"));
    command.args(["run", "--nats", &nats, "--url", "smpp://shop@127.0.0.1:1"]);
    let mut node = NodeProcess::start(command.stdin(Stdio::null()).kill_on_drop(true));
    let _connection = silent.accept().await.unwrap();
    node.wait_for_log("waiting for NATS", 1).await;
    node.signal("-TERM").await;
    assert!(node.end().await.success());
    assert!(node.log().ends_with("stopped before NATS was ready\n"), "{}", node.log());
}

/// Needs no NATS: nothing is started.
#[tokio::test]
async fn a_count_of_zero_that_cannot_work_is_refused() {
    for (command, option) in [("demo", "--messages"), ("bench", "--messages"), ("bench", "--paced")] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_smpp-gateway"));
        let output = process.args([command, option, "0", "--nats-server", "none"]).output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(&format!("invalid value '0' for '{option} ")), "{error}");
    }
}

/// Needs no NATS: the port is closed.
#[cfg(unix)]
#[tokio::test]
async fn a_node_names_the_server_that_it_cannot_reach() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_smpp-gateway"));
    command.args(["run", "--nats", &format!("nats://{closed}"), "--url", "smpp://shop@127.0.0.1:1"]);
    let mut node = NodeProcess::start(command.stdin(Stdio::null()).kill_on_drop(true));
    node.wait_for_log(&format!("(at nats://{closed})"), 1).await;
    node.signal("-TERM").await;
    assert!(node.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_node_whose_smsc_does_not_answer_stops() {
    let world = World::start("unbound").await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smpp://shop@{}", silent.local_addr().unwrap());
    let mut node = NodeProcess::start(world.command(None).args(["--url", &url]));
    let _connection = silent.accept().await.unwrap();
    node.signal("-TERM").await;
    assert!(node.end().await.success());
    assert!(node.log().ends_with("stopped\n"), "{}", node.log());
}
