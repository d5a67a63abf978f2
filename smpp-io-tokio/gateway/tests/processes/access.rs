//! Access to NATS: TLS, a user with a password, a token, an nkey with as few permissions as a node needs, a certificate of the client,
//! credentials with a JWT. Without the right ones a node says why it has no connection.

use std::path::Path;

use nkeys::KeyPair;
use serde_json::{Value, json};
use smpp_gateway::names::Names;
use smpp_gateway::settings::NatsSettings;

use super::harness::{ACCOUNT, World, nats_settings};
use super::node_process::NodeProcess;

/// A node with the wrong options has no connection, and its log says why; one with the right ones sends messages.
async fn check(mut world: World, wrong: &[(&[&str], &str)], right: &[&str], secret: &str) {
    for (options, reason) in wrong {
        let mut node = NodeProcess::start(world.command(None).args(*options));
        // It may have ended by itself.
        node.wait_for_log(reason, 1).await;
        node.signal("-TERM").await;
        node.end().await;
        let log = node.log();
        assert!(log.contains(reason) && !log.contains("NATS is connected"), "{options:?}: {log}");
        assert!(!log.contains(secret), "{log}");
    }
    let node = NodeProcess::start(world.command(None).args(right));
    world.nodes.push(node);
    world.wait_for_binds(4).await;
    world.publish(100).await;
    let counts = world.compare().await;
    assert_eq!(counts.len(), 1, "{counts:?}");
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

fn strings(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|it| (*it).to_owned()).collect()
}

/// Writes the certificate of an issuer, and those of a server on this machine and of a client, with their keys.
fn write_certificates(folder: &Path) {
    let openssl = |arguments: &[&str]| {
        let mut command = std::process::Command::new("openssl");
        let output = command.args(arguments).current_dir(folder).output().expect("openssl is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let issuer = ["-x509", "-subj", "/CN=issuer", "-keyout", "ca.key", "-out", "ca.pem"];
    openssl(&[&["req"][..], &key, &issuer].concat());
    let names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
    for name in ["server", "client"] {
        let (key_file, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let of_issuer =
            ["-x509", "-CA", "ca.pem", "-CAkey", "ca.key", "-subj", "/CN=localhost", "-addext", names];
        let kind =
            ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &key_file, "-out", &certificate];
        openssl(&[&["req"][..], &key, &of_issuer, &kind].concat());
    }
}

/// The arguments of a server that has the certificate.
fn tls_arguments(folder: &Path) -> Vec<String> {
    write_certificates(folder);
    let (certificate, key) = (file(folder, "server.pem"), file(folder, "server.key"));
    strings(&["--tls", "--tlscert", &certificate, "--tlskey", &key])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_node_reaches_nats_with_tls_and_a_password() {
    let world = World::start_guarded("tls", |folder, port| {
        let mut arguments = tls_arguments(folder);
        arguments.extend(strings(&["--user", "shop", "--pass", "s3cret"]));
        let mut settings = nats_settings(format!("tls://shop:s3cret@127.0.0.1:{port}"));
        settings.ca = Some(folder.join("ca.pem"));
        (arguments, settings)
    })
    .await;
    let url = format!("tls://shop:s3cret@127.0.0.1:{}", world.nats_port());
    let stranger = format!("tls://shop:other-s3cret@127.0.0.1:{}", world.nats_port());
    let ca = file(world.folder(), "ca.pem");
    let wrong: [(&[&str], &str); 2] = [
        (&["--nats", &url], "NATS: client error"),
        (&["--nats", &stranger, "--nats-ca", &ca], "authorization"),
    ];
    check(world, &wrong, &["--nats", &url, "--nats-ca", &ca], "s3cret@").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_node_reaches_nats_with_a_token() {
    let world = World::start_guarded("token", |_, port| {
        let mut settings = nats_settings(format!("nats://127.0.0.1:{port}"));
        settings.token = Some("t0ken-s3cret".into());
        (strings(&["--auth", "t0ken-s3cret"]), settings)
    })
    .await;
    let wrong: [(&[&str], &str); 2] =
        [(&[], "authorization"), (&["--nats-token", "other-s3cret"], "authorization")];
    check(world, &wrong, &["--nats-token", "t0ken-s3cret"], "s3cret").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_node_reaches_nats_with_a_certificate_of_its_own() {
    let world = World::start_guarded("certificate", |folder, port| {
        let mut arguments = tls_arguments(folder);
        arguments.extend(strings(&["--tlsverify", "--tlscacert", &file(folder, "ca.pem")]));
        let mut settings = nats_settings(format!("tls://127.0.0.1:{port}"));
        settings.ca = Some(folder.join("ca.pem"));
        settings.certificate = Some(folder.join("client.pem"));
        settings.key = Some(folder.join("client.key"));
        (arguments, settings)
    })
    .await;
    let url = format!("tls://127.0.0.1:{}", world.nats_port());
    let [ca, certificate, key] =
        ["ca.pem", "client.pem", "client.key"].map(|name| file(world.folder(), name));
    let wrong: [(&[&str], &str); 1] = [(&["--nats", &url, "--nats-ca", &ca], "NATS: ")];
    let right = ["--nats", &url, "--nats-ca", &ca, "--nats-certificate", &certificate, "--nats-key", &key];
    check(world, &wrong, &right, "BEGIN").await;
}

/// What a node of the account publishes to and subscribes to, as the README states it.
fn permissions() -> Value {
    let names = Names::new(ACCOUNT.0);
    let buckets = ["BINDS", "NODES", "ATTEMPTS", "IDS"].map(|bucket| names.key(bucket, ">"));
    let mut publish = strings(&["$JS.API.>", "$JS.ACK.>"]);
    publish.push(format!("sms.{}.>", names.account()));
    publish.extend(buckets);
    json!({"publish": publish, "subscribe": ["_INBOX.>"]})
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_node_reaches_nats_with_an_nkey_and_the_permissions_of_the_readme() {
    let keys = [KeyPair::new_user(), KeyPair::new_user()];
    let world = World::start_guarded("nkey", |folder, port| {
        for (name, key) in ["right", "wrong"].into_iter().zip(&keys) {
            std::fs::write(folder.join(name), format!("# {name}\n{}\n", key.seed().unwrap())).unwrap();
        }
        let user = json!({"nkey": keys[0].public_key(), "permissions": permissions()});
        let config = json!({"authorization": {"users": [user]}});
        std::fs::write(folder.join("nats.conf"), config.to_string()).unwrap();
        let mut settings = nats_settings(format!("nats://127.0.0.1:{port}"));
        settings.nkey = Some(folder.join("right"));
        (strings(&["-c", &file(folder, "nats.conf")]), settings)
    })
    .await;
    let [right, wrong, none] = ["right", "wrong", "none"].map(|name| file(world.folder(), name));
    let all_wrong: [(&[&str], &str); 3] = [
        (&[], "authorization"),
        (&["--nats-nkey", &wrong], "authorization"),
        (&["--nats-nkey", &none], "the nkey of NATS"),
    ];
    check(world, &all_wrong, &["--nats-nkey", &right], &keys[0].seed().unwrap()).await;
}

/// Returns a JWT of NATS.
fn jwt(issuer: &KeyPair, subject: &KeyPair, kind: &str, mut nats: Value) -> String {
    nats["type"] = json!(kind);
    nats["version"] = json!(2);
    let claims = json!({
        "iss": issuer.public_key(), "sub": subject.public_key(), "iat": 1_700_000_000, "jti": kind, "name": kind, "nats": nats,
    });
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let signed = [header, claims].map(|part| base64(part.to_string().as_bytes())).join(".");
    let signature = base64(&issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

/// Returns the octets in the alphabet for URLs, without padding.
fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in octets.chunks(3) {
        let number = (0..3).fold(0, |number, at| number << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        for digit in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(number >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

/// A server of an operator, whose users have JWTs.
fn operated(folder: &Path, port: u16) -> (Vec<String>, NatsSettings) {
    let operator = KeyPair::new_operator();
    let [system, shop] = [KeyPair::new_account(), KeyPair::new_account()];
    let users = [KeyPair::new_user(), KeyPair::new_user()];
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let config = json!({
        "operator": jwt(&operator, &operator, "operator", json!({})),
        "system_account": system.public_key(),
        "resolver": "MEMORY",
        "resolver_preload": {
            (system.public_key()): jwt(&operator, &system, "account", json!({})),
            (shop.public_key()): jwt(&operator, &shop, "account", json!({"limits": limits})),
        },
    });
    std::fs::write(folder.join("nats.conf"), config.to_string()).unwrap();
    // That of the second user is signed by another account.
    for ((name, issuer), user) in
        [("right", &shop), ("wrong", &KeyPair::new_account())].into_iter().zip(&users)
    {
        let limits = json!({"subs": -1, "data": -1, "payload": -1});
        let credentials = format!(
            "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{}\n------END \
             USER NKEY SEED------\n",
            jwt(issuer, user, "user", limits),
            user.seed().unwrap()
        );
        std::fs::write(folder.join(name), credentials).unwrap();
    }
    let mut settings = nats_settings(format!("nats://127.0.0.1:{port}"));
    settings.credentials = Some(folder.join("right"));
    (strings(&["-c", &file(folder, "nats.conf")]), settings)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a NATS server: run .ci/gateway"]
async fn a_node_reaches_nats_with_credentials() {
    let world = World::start_guarded("credentials", operated).await;
    let [right, wrong, none] = ["right", "wrong", "none"].map(|name| file(world.folder(), name));
    let all_wrong: [(&[&str], &str); 3] = [
        (&[], "authorization"),
        (&["--nats-credentials", &wrong], "authorization"),
        (&["--nats-credentials", &none], "the credentials of NATS"),
    ];
    let seed = std::fs::read_to_string(&right).unwrap();
    let seed = seed.lines().find(|line| line.starts_with("SU")).unwrap();
    check(world, &all_wrong, &["--nats-credentials", &right], seed).await;
}
