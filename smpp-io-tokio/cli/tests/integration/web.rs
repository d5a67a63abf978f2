//! The pages of `smpp smsc --web` and `smpp decode --web`, over plain HTTP.
#![cfg(feature = "web")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use crate::common::{new_file, smpp, with_timeout};
use serde_json::{Value, json};

/// A program with a page. It is killed when it is dropped.
struct Running {
    program: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut program = smpp(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap());
        Self { program, lines }
    }

    /// Returns the word with this index of the next line.
    fn word(&mut self, index: usize) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.split_whitespace().nth(index).unwrap_or_else(|| panic!("{line}")).to_owned()
    }

    /// Starts an SMSC. Returns its address, and the address of its page with the token.
    fn smsc(arguments: &[&str]) -> (Self, String, String) {
        let first = ["smsc", "--listen", "127.0.0.1:0", "--account", "shop:s3cret"];
        let mut smsc = Self::start(&[&first, arguments].concat());
        let address = smsc.word(2);
        let page = smsc.word(2);
        (smsc, address, page.strip_prefix("http://").unwrap().to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It fails if the program has ended.
        let _ = self.program.kill();
        self.program.wait().unwrap();
    }
}

/// A response: its status, its head in lower case, its body.
#[derive(Debug)]
struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a request, whatever it is, and reads the response to its end.
fn exchange(address: &str, request: &[u8]) -> Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // The server may refuse the request before it has read all of it.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a response");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, head: head.to_lowercase(), body: answer[end + 4..].to_vec() }
}

fn get_with(address: &str, path: &str, headers: &str) -> Response {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    exchange(address, request.as_bytes())
}

fn get(address: &str, path: &str) -> Response {
    get_with(address, path, "")
}

fn post_with(address: &str, path: &str, body: &str, headers: &str) -> Response {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n"
    );
    exchange(address, format!("{head}{headers}\r\n{body}").as_bytes())
}

fn post(address: &str, path: &str, body: &Value) -> Response {
    post_with(address, path, &body.to_string(), "Content-Type: application/json\r\n")
}

/// Returns the value of the header.
fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let mut lines = response.head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}

/// Sends a message. Returns what `smpp send` has printed.
fn send(smsc: &str, text: &str) -> String {
    let url = format!("smpp://shop:s3cret@{smsc}");
    let output = smpp(&["send", "--url", &url, "--to", "6591234567", "--text", text]).output().unwrap();
    [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap()).concat()
}

/// Returns the PDUs that contain this text.
fn search(page: &str, query: &str) -> Vec<Value> {
    get(page, &format!("/api/pdus?q={query}")).json()["entries"].as_array().unwrap().clone()
}

#[test]
fn a_message_its_receipt_and_its_pdus_are_on_the_page() {
    with_timeout(|| {
        let (_smsc, address, page) = Running::smsc(&["--web", "127.0.0.1:0", "--receipt-delay", "20"]);
        let page = page.trim_end_matches('/');
        assert!(send(&address, "Grüße").contains("DELIVERED"));

        let found = search(page, "gr%C3%BC%C3%9Fe");
        let [message] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&message["kind"], &message["destination"]), (&json!("message"), &json!("6591234567")));
        assert_eq!((&message["account"], &message["answer"]["status"]), (&json!("shop"), &json!("ESME_ROK")));
        let receipts = search(page, "delivrd");
        assert_eq!(receipts[0]["kind"], "receipt");
        assert_eq!(receipts[0]["id"], message["id"]);

        let described = get(page, &format!("/api/pdu?n={}", message["n"])).text();
        let printed =
            described.lines().any(|line| line.ends_with("= text                       \"Grüße\" (Gsm7)"));
        assert!(printed, "{described}");
        let bind = &search(page, "bind_transceiver")[0];
        let described = get(page, &format!("/api/pdu?n={}", bind["n"])).text();
        assert!(
            described.contains("***                         password                     ***"),
            "{described}"
        );
        assert_eq!(get(page, "/api/pdu?n=1000").status, 404);

        let plots = &get(page, "/api/state").json()["plots"];
        let submitted =
            plots["seconds"].as_array().unwrap().iter().map(|second| &second["submitted"]["requests"]);
        assert_eq!(submitted.filter_map(Value::as_u64).sum::<u64>(), 1, "{plots}");

        let all = get(page, "/api/pdus").text() + &get(page, "/api/state").text();
        assert!(!all.contains("s3cret"), "{all}");
        let capture = get(page, "/capture.pcap");
        assert!(!String::from_utf8_lossy(&capture.body).contains("s3cret"));
        assert_eq!(header(&capture, "content-disposition"), "attachment; filename=\"smpp.pcap\"");
        let file = new_file("page-capture");
        fs::write(&file, &capture.body).unwrap();
        let decoded = smpp(&["decode"]).arg(&file).output().unwrap();
        assert!(String::from_utf8(decoded.stdout).unwrap().contains("\"Grüße\" (Gsm7)"));

        // The same page opens the capture.
        let mut offline = Running::start(&["decode", file.to_str().unwrap(), "--web=127.0.0.1:0"]);
        let page = offline.word(2);
        let page = page.strip_prefix("http://").unwrap().trim_end_matches('/');
        assert_eq!(search(page, "gr%C3%BC%C3%9Fe").len(), 1);
        assert_eq!(search(page, "delivrd")[0]["answer"]["status"], "ESME_ROK");
        assert_eq!(get(page, "/api/state").json()["live"], false);
        assert_eq!(get(page, "/").status, 200);
        assert_eq!(post(page, "/api/settings", &json!({})).status, 422);
        assert_eq!(get(page, "/capture.pcap").status, 404);
        fs::remove_file(file).unwrap();
    });
}

#[test]
fn quirks_and_rejected_pdus_are_named() {
    with_timeout(|| {
        let (_smsc, address, page) = Running::smsc(&["--web", "127.0.0.1:0"]);
        let page = page.trim_end_matches('/');
        let mut client = TcpStream::connect(address).unwrap();
        let pdu = |command: u32, sequence: u32, body: &[u8]| {
            let length = 16 + u32::try_from(body.len()).unwrap();
            let header = [length, command, 0, sequence].map(u32::to_be_bytes);
            [header.as_flattened(), body].concat()
        };
        client.write_all(&pdu(9, 1, b"shop\0s3cret\0\0\x34\0\0\0")).unwrap();
        client.write_all(&pdu(0x15, 0, b"")).unwrap();
        client.write_all(&pdu(4, 3, b"cut")).unwrap();
        client.read_exact(&mut [0; 16]).unwrap();
        let described = |query: &str| loop {
            if let Some(entry) = search(page, query).first() {
                return get(page, &format!("/api/pdu?n={}", entry["n"])).text();
            }
        };
        let quirk = "  quirk: sequence_number is outside 1..=0x7fffffff";
        assert!(described("enquire_link").lines().any(|line| line == quirk));
        let malformed = described("malformed");
        assert!(
            malformed.contains("  malformed: submit_sm") && malformed.contains("  rejected: malformed"),
            "{malformed}"
        );
    });
}

#[test]
fn the_page_sends_a_message_from_a_phone() {
    with_timeout(|| {
        let (_smsc, address, page) = Running::smsc(&["--web", "127.0.0.1:0"]);
        let page = page.trim_end_matches('/');
        let file = new_file("page-received");
        let url = format!("smpp://shop:s3cret@{address}");
        let _receiver = Running::start(&["receive", "--url", &url, "--file", file.to_str().unwrap()]);
        while get(page, "/api/state").json()["smsc"]["bound"] != 1 {}
        let bind = &get(page, "/api/state").json()["smsc"]["binds"][0];
        assert_eq!((&bind["system_id"], &bind["mode"]), (&json!("shop"), &json!("receiver")));

        let message =
            |text: &str| json!({ "account": "shop", "from": "6591234567", "to": "6580000000", "text": text });
        assert_eq!(post(page, "/api/mo", &message("五 hello")).json(), json!({ "segments": 1 }));
        assert_eq!(post(page, "/api/mo", &message(&"long".repeat(100))).json(), json!({ "segments": 3 }));
        while search(page, "mo")
            .iter()
            .filter(|it| it["kind"] == "mo" && it["answer"]["status"] == "ESME_ROK")
            .count()
            < 4
        {}
        let received = fs::read_to_string(&file).unwrap();
        assert_eq!(received.lines().count(), 4, "{received}");
        assert!(received.to_lowercase().contains("4e94"), "{received}");

        for (name, value) in
            [("account", "nobody"), ("from", "call me"), ("to", ""), ("text", &"long".repeat(15_000))]
        {
            let mut wrong = message("Hello");
            wrong[name] = value.into();
            assert_eq!(post(page, "/api/mo", &wrong).status, 422, "{name}");
        }
        fs::remove_file(file).unwrap();
    });
}

#[test]
fn the_page_switches_faults_and_receipts() {
    with_timeout(|| {
        let (_smsc, address, page) =
            Running::smsc(&["--web", "127.0.0.1:0", "--receipt-delay", "20", "--fault", "reorder"]);
        let page = page.trim_end_matches('/');
        let settings = || get(page, "/api/state").json()["smsc"]["settings"].clone();
        assert_eq!((&settings()["states"], &settings()["reorder"]), (&json!("DELIVRD"), &json!(true)));

        let changed = post(page, "/api/settings", &json!({ "states": "UNDELIV=1", "reorder": false }));
        assert_eq!((changed.status, &changed.json()), (200, &settings()));
        assert!(send(&address, "Hello").contains("UNDELIVERABLE"));
        post(page, "/api/settings", &json!({ "throttle": 100 }));
        assert!(send(&address, "Hello").contains("ESME_RTHROTTLED"));

        for wrong in [json!({ "throttle": 101 }), json!({ "throttle": 0, "colour": 1 }), json!(7)] {
            assert_eq!(post(page, "/api/settings", &wrong).status, 422, "{wrong}");
        }
        // A request that is refused changes nothing.
        assert_eq!(settings()["throttle"], 100);
    });
}

#[test]
fn a_fault_reaches_connections_that_are_open() {
    with_timeout(|| {
        let (_smsc, address, page) = Running::smsc(&["--web", "127.0.0.1:0"]);
        let page = page.trim_end_matches('/');
        let mut client = TcpStream::connect(address).unwrap();
        let bind =
            [&[0, 0, 0, 35, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1][..], b"shop\0s3cret\0\0\x34\0\0\0"].concat();
        client.write_all(&[&[0, 0, 0, 33][..], &bind[4..]].concat()).unwrap();
        let mut head = [0; 16];
        client.read_exact(&mut head).unwrap();
        let mut body = vec![0; usize::from(head[3]) - 16];
        client.read_exact(&mut body).unwrap();
        post(page, "/api/settings", &json!({ "no-unbind-resp": true }));
        // The response to enquire_link arrives, that to the unbind before it does not.
        client.write_all(&[0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 2]).unwrap();
        client.read_exact(&mut head).unwrap();
        assert_eq!(head[7], 0x15);
        client.write_all(&[0, 0, 0, 16, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 3]).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        assert!(client.read(&mut head).is_err(), "{head:?}");
    });
}

#[test]
fn events_tell_what_changes() {
    with_timeout(|| {
        let (_smsc, address, page) = Running::smsc(&["--web", "127.0.0.1:0", "--receipt-delay", "20"]);
        let page = page.trim_end_matches('/');
        let open = || {
            let mut stream = TcpStream::connect(page).unwrap();
            write!(stream, "GET /api/events HTTP/1.1\r\nHost: {page}\r\n\r\n").unwrap();
            let mut lines = BufReader::new(stream);
            let mut status = String::new();
            lines.read_line(&mut status).unwrap();
            (status, lines)
        };
        let (status, lines) = open();
        assert!(status.contains("200"), "{status}");
        let sent = send(&address, "Hello, events");
        assert!(sent.contains("DELIVERED"), "{sent}");
        let mut events = lines
            .lines()
            .map(Result::unwrap)
            .filter_map(|line| Some(serde_json::from_str::<Value>(line.strip_prefix("data: ")?).unwrap()));
        let is_message = |event: &Value| {
            let entries = event["log"]["entries"].as_array().unwrap();
            entries
                .iter()
                .any(|it| it["text"] == "\"Hello, events\" (Gsm7)" && it["answer"]["status"] == "ESME_ROK")
        };
        assert!(events.any(|event| is_message(&event)));
        assert!(events.any(|event| event["state"]["live"] == true));

        // The number of streams is limited, and a closed one makes room.
        let mut streams: Vec<_> = (0..15).map(|_| open()).collect();
        assert!(streams.iter().all(|(status, _)| status.contains("200")));
        assert!(open().0.contains("503"));
        streams.pop();
        while !open().0.contains("200") {}
    });
}

#[test]
fn octets_that_are_no_pdu_are_on_the_page() {
    with_timeout(|| {
        let (_smsc, address, page) = Running::smsc(&["--web", "127.0.0.1:0"]);
        let page = page.trim_end_matches('/');
        let mut peer = TcpStream::connect(&address).unwrap();
        // An enquire_link, then the length 3.
        peer.write_all(&[0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1]).unwrap();
        peer.write_all(&[0, 0, 0, 3]).unwrap();
        let _ = peer.read_to_end(&mut Vec::new());
        let all = get(page, "/api/pdus").json()["entries"].as_array().unwrap().clone();
        let rejected: Vec<_> = all.iter().filter(|entry| !entry["rejected"].is_null()).collect();
        let [.., broken] = &rejected[..] else { panic!("{all:?}") };
        assert_eq!((&broken["command"], &broken["length"]), (&json!("no PDU"), &Value::Null), "{all:?}");
        assert_eq!(get(page, "/api/pdus?q=no%20pdu").json()["entries"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn requests_are_checked_and_limited() {
    with_timeout(|| {
        let (_smsc, _, page) = Running::smsc(&["--web", "127.0.0.1:0"]);
        let page = page.trim_end_matches('/');
        for path in ["/", "/page.js", "/page.css", "/api/state", "/api/pdus", "/capture.pcap", "/none"] {
            let response = get(page, path);
            assert_eq!(response.status, if path == "/none" { 404 } else { 200 }, "{path}");
            assert_eq!(header(&response, "cache-control"), "no-store", "{path}");
            assert!(header(&response, "content-security-policy").starts_with("default-src 'none'"), "{path}");
            assert!(!response.head.contains("access-control"), "{path}");
        }
        let rebound = b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
        assert_eq!(exchange(page, rebound).status, 421);
        let json = "Content-Type: application/json\r\n";
        let foreign = format!("{json}Origin: http://evil.example\r\n");
        assert_eq!(post_with(page, "/api/settings", "{}", &foreign).status, 403);
        assert_eq!(post_with(page, "/api/settings", "{}", "Content-Type: text/plain\r\n").status, 415);
        assert_eq!(post_with(page, "/api/settings", "{}", json).status, 200);
        assert_eq!(post_with(page, "/api/settings", "{", json).status, 400);
        assert_eq!(post_with(page, "/api/settings", &" ".repeat(70_000), json).status, 413);
        assert_eq!(get_with(page, "/", &format!("X: {}\r\n", "x".repeat(20_000))).status, 431);
        assert_eq!(post_with(page, "/", "{}", json).status, 405);

        // Of more connections than the limit, the oldest one without a permitted request makes room.
        let address: SocketAddr = page.parse().unwrap();
        let silent = || (0..64).map(|_| TcpStream::connect(address).unwrap()).collect::<Vec<_>>();
        let ask = |stream: &mut TcpStream| {
            write!(stream, "GET / HTTP/1.1\r\nHost: {page}\r\n\r\n").unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
            assert_eq!(status, *b"HTTP/1.1 200");
        };
        let before = silent();
        let mut first = TcpStream::connect(address).unwrap();
        ask(&mut first);
        let after = silent();
        // If all have made one, a further connection is closed.
        let mut others = [(); 63].map(|()| TcpStream::connect(address).unwrap());
        others.iter_mut().for_each(ask);
        let mut refused = TcpStream::connect(address).unwrap();
        assert!(matches!(refused.read(&mut [0]), Ok(0) | Err(_)));
        write!(first, "GET / HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n").unwrap();
        let mut rest = String::new();
        first.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("HTTP/1.1 200"), "it was kept");
        // One that ends makes room.
        drop((before, after, others));
        let mut answer = String::new();
        while !answer.starts_with("HTTP/1.1 200") {
            let mut stream = TcpStream::connect(address).unwrap();
            answer.clear();
            let _ = write!(stream, "GET / HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n");
            let _ = stream.read_to_string(&mut answer);
        }
    });
}

#[test]
fn other_machines_need_permission_and_the_token() {
    with_timeout(|| {
        let refused = smpp(&["smsc", "--listen", "127.0.0.1:0", "--web", "0.0.0.0:0"]).output().unwrap();
        let error = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains("open to other machines") && error.contains("--web-remote"), "{error}");

        let (_smsc, _, page) = Running::smsc(&["--web", "0.0.0.0:0", "--web-remote"]);
        let (page, token) = page.split_once("/?token=").unwrap();
        assert_eq!(token.len(), 48);
        for path in ["/", "/page.js", "/api/state", "/api/events", "/capture.pcap", "/?token=guessed"] {
            let response = get(page, path);
            assert_eq!((response.status, header(&response, "cache-control")), (401, "no-store"), "{path}");
            assert!(!response.text().contains(token));
        }
        let json = "Content-Type: application/json\r\n";
        assert_eq!(post_with(page, "/api/settings", "{}", json).status, 401);
        let first = get(page, &format!("/?token={token}"));
        assert_eq!((first.status, header(&first, "location")), (303, "/"));
        let cookie = header(&first, "set-cookie").split(';').next().unwrap().to_owned();
        let cookie = format!("Cookie: {cookie}\r\n");
        assert_eq!(get_with(page, "/api/state", &cookie).status, 200);
        assert_eq!(post_with(page, "/api/settings", "{}", &format!("{json}{cookie}")).status, 200);
        assert_eq!(get_with(page, "/", &format!("Authorization: Bearer {token}\r\n")).status, 200);
    });
}

#[test]
fn the_address_of_the_page_is_an_event() {
    with_timeout(|| {
        let mut smsc = Running::start(&["smsc", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--json"]);
        let mut line = String::new();
        for event in ["listening", "web"] {
            line.clear();
            smsc.lines.read_line(&mut line).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["event"], event);
        }
        let event: Value = serde_json::from_str(&line).unwrap();
        let address = event["listen"].as_str().unwrap();
        assert_eq!(event["url"], format!("http://{address}/"));
        assert_eq!(get(address, "/").status, 200);
    });
}

#[test]
fn an_address_in_use_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = smpp(&["smsc", "--listen", "127.0.0.1:0", "--web", &address]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains(&format!("cannot listen on {address}")), "{error}");
    assert!(error.contains("Another program listens there"), "{error}");
}
