//! Where `smpp smsc` listens: behind a proxy, on a Unix socket, with a certificate that it reads again.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::common::{new_file, smpp, with_timeout};
use rcgen::{CertificateParams, KeyPair};
use smpp_proto::{Bind, CommandStatus, Pdu, SequenceNumber};

/// A running SMSC, and the lines that it prints.
struct Smsc(Child, Lines<BufReader<ChildStdout>>);

impl Smsc {
    fn start(arguments: &[&str]) -> (Self, String) {
        let arguments = [&["smsc", "--account", "shop:s3cret"], arguments].concat();
        let mut smsc = Self::of(&mut smpp(&arguments));
        let line = smsc.line("listening on ");
        let address = line.split_whitespace().nth(2).unwrap().to_owned();
        (smsc, address)
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self(child, lines)
    }

    /// Waits for a line that contains this.
    fn line(&mut self, expected: &str) -> String {
        self.1
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains(expected))
            .unwrap_or_else(|| panic!("{expected}"))
    }

    fn signal(&self, name: &str) {
        assert!(
            Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap().success()
        );
    }
}

impl Drop for Smsc {
    fn drop(&mut self) {
        // It fails if the process has ended.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

fn bind() -> Vec<u8> {
    let bind = Bind {
        system_id: "shop".try_into().unwrap(),
        password: smpp_proto::Password::new(b"s3cret").unwrap(),
        ..Bind::default()
    };
    let mut octets = Vec::new();
    Pdu::Bind(bind).encode(CommandStatus::ROK, SequenceNumber(1), &mut octets);
    octets
}

#[test]
fn a_proxy_states_the_address_of_the_client() {
    with_timeout(|| {
        let (mut smsc, address) =
            Smsc::start(&["--listen", "127.0.0.1:0", "--proxy-protocol", "127.0.0.0/8"]);
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(b"PROXY TCP4 192.0.2.1 10.0.0.1 40000 2775\r\n").unwrap();
        stream.write_all(&bind()).unwrap();
        assert!(smsc.line("bound ").ends_with("\"shop\" from 192.0.2.1:40000"));
        // Without a header: the SMSC names the mistake.
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(&bind()).unwrap();
        smsc.line("does not begin with a valid PROXY protocol header");

        let (mut smsc, address) = Smsc::start(&["--listen", "127.0.0.1:0", "--proxy-protocol", "192.0.2.1"]);
        let _stream = TcpStream::connect(&address).unwrap();
        smsc.line("the address is not trusted to speak the PROXY protocol");
    });
}

#[test]
fn a_unix_socket_is_removed_at_the_end_and_replaced_if_it_is_left_over() {
    with_timeout(|| {
        let path = new_file("smsc-socket");
        let text = path.to_str().unwrap();
        let (mut smsc, listening) = Smsc::start(&["--unix", text]);
        assert_eq!(listening, text);
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(&bind()).unwrap();
        smsc.line("bound ");
        // The path is in use.
        let second = smpp(&["smsc", "--unix", text]).output().unwrap();
        assert!(!second.status.success());
        assert!(String::from_utf8_lossy(&second.stderr).contains("cannot listen on"));
        smsc.signal("KILL");
        drop(smsc);
        assert!(path.exists());
        let (mut smsc, _) = Smsc::start(&["--unix", text]);
        smsc.signal("TERM");
        smsc.line("stopped:");
        assert!(smsc.0.wait().unwrap().success());
        assert!(!path.exists());
    });
}

#[test]
fn a_file_that_is_no_socket_stays() {
    with_timeout(|| {
        let path = new_file("smsc-plain-file");
        fs::write(&path, "precious").unwrap();
        let output = smpp(&["smsc", "--unix", path.to_str().unwrap()]).output().unwrap();
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot listen on"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    });
}

#[test]
fn a_path_need_not_be_utf_8() {
    with_timeout(|| {
        let mut path = new_file("smsc-not-utf-8-").into_os_string();
        path.push(OsStr::from_bytes(b"\xff"));
        let mut command = smpp(&["smsc", "--json", "--unix"]);
        let mut smsc = Smsc::of(command.arg(&path));
        let line = smsc.line("listening");
        assert!(line.contains("smsc-not-utf-8-") && line.contains("\u{fffd}"), "{line}");
        smsc.signal("TERM");
        assert!(smsc.0.wait().unwrap().success());
    });
}

/// Writes a self-signed certificate for localhost and its key.
fn write_certificate(cert: &Path, key: &Path) {
    let pair = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".into()]).unwrap().self_signed(&pair).unwrap();
    fs::write(cert, certificate.pem()).unwrap();
    fs::write(key, pair.serialize_pem()).unwrap();
}

#[test]
fn the_certificate_is_read_again_at_sighup() {
    with_timeout(|| {
        let [cert, key, first] = ["smsc-cert", "smsc-key", "smsc-first"].map(new_file);
        write_certificate(&cert, &key);
        fs::copy(&cert, &first).unwrap();
        let [cert_text, key_text] = [&cert, &key].map(|path| path.to_str().unwrap());
        let (mut smsc, address) =
            Smsc::start(&["--tls-listen", "127.0.0.1:0", "--cert", cert_text, "--key", key_text]);
        let port = address.rsplit_once(':').unwrap().1.to_owned();
        let send = |ca: &Path| {
            let url = format!("smpps://shop:s3cret@localhost:{port}");
            let ca = ca.to_str().unwrap();
            let mut command =
                smpp(&["send", "--url", &url, "--ca", ca, "--to", "6591234567", "--text", "Hello"]);
            command.output().unwrap().status.success()
        };
        assert!(send(&first));
        // A file that cannot be used changes nothing.
        fs::write(&key, "no key").unwrap();
        smsc.signal("HUP");
        smsc.line("certificate not reloaded: --cert and --key cannot be used for TLS");
        assert!(send(&first));
        write_certificate(&cert, &key);
        smsc.signal("HUP");
        smsc.line("certificate reloaded");
        assert!(send(&cert) && !send(&first));
    });
}
