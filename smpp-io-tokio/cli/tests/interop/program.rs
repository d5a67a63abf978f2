//! Part of the interoperability tests in `.ci/interop`: an ESME and an SMSC that do what `smpp send` and `smpp smsc` do
//! not: bind in each mode, send enquire_link, deliver segments of a long message, unbind from either side, bind once
//! too often. It prints one JSON object for each step; the tests compare them.
//!
//! ```text
//! cargo run --release -p smpp-cli --example interop -- smsc
//! SMPP_PASSWORD=s3cret cargo run --release -p smpp-cli --example interop -- esme --url smpp://shop@127.0.0.1:2775
//! ```

use std::env;
use std::path::PathBuf;

use clap::Parser;
use serde_json::json;
use smpp_proto::session::{Config, Esme, Instant, RequestError, Stats};
use smpp_proto::sms::udh::ConcatRef;
use smpp_proto::sms::{Codings, Pushed, Reassembler, ReassemblyLimits, Text};
use smpp_proto::{
    Address, Bind, BindMode, COctets, CommandStatus, DeliverSm, Endpoint, EnquireLink, Password, SubmitSm,
};
use smpp_tokio::testing::Certificate;
use smpp_tokio::{BindRequest, Client, Connector, Inbound, Inbox, Listener, tls};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Either side of a session, for tests with other SMPP software.
#[derive(Parser)]
enum Arguments {
    /// Binds in each mode, then until a bind is refused; the password is in SMPP_PASSWORD
    Esme {
        /// Where to bind: smpp[s]://SYSTEM_ID@HOST:PORT
        #[arg(long)]
        url: Endpoint,
        /// Trust the certificate authorities in this PEM file
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Accepts one ESME after another, sends it enquire_link and messages, and unbinds
    Smsc {
        /// Speak TLS with a certificate for localhost made at start, and write its authority to this PEM file
        #[arg(long, value_name = "FILE")]
        tls_ca: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match Arguments::parse() {
        Arguments::Esme { url, ca } => esme(&url, ca).await,
        Arguments::Smsc { tls_ca } => smsc(tls_ca).await,
    }
}

async fn esme(endpoint: &Endpoint, ca: Option<PathBuf>) -> Result<(), Failure> {
    let connector = match ca {
        Some(ca) => Connector::new().tls(tls::ca_file(&ca)?),
        None => Connector::new(),
    };
    let password = env::var("SMPP_PASSWORD")?;
    let bind = |mode| {
        let system_id = endpoint.system_id.as_deref().unwrap_or_default();
        let (system_id, password) =
            (COctets::new(system_id.as_bytes())?, Password::new(password.as_bytes())?);
        Ok::<_, Failure>(Bind { mode, system_id, password, ..Bind::default() })
    };

    let (client, _inbox) = connector.connect(endpoint).await?;
    bound(&client, &bind(BindMode::Transmitter)?).await?;
    client.request(&EnquireLink).await?;
    println!("{}", json!({ "event": "alive" }));
    println!("{}", json!({ "event": "ended", "reason": client.unbind().await.to_string() }));

    // Receives until the SMSC unbinds.
    let (client, inbox) = connector.connect(endpoint).await?;
    bound(&client, &bind(BindMode::Receiver)?).await?;
    receive(inbox).await?;
    println!("{}", json!({ "event": "ended", "reason": client.closed().await.to_string() }));

    let mut binds = Vec::new();
    loop {
        let (client, inbox) = connector.connect(endpoint).await?;
        match bound(&client, &bind(BindMode::Transceiver)?).await {
            Ok(()) => binds.push((client, inbox)),
            Err(RequestError::Refused { status, .. }) => {
                println!("{}", json!({ "event": "refused", "held": binds.len(), "status": status.name() }));
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    for (client, _) in binds {
        println!("{}", json!({ "event": "ended", "reason": client.unbind().await.to_string() }));
    }
    Ok(())
}

async fn bound(client: &Client, bind: &Bind<'_>) -> Result<(), RequestError> {
    let answer = client.bind(bind).await?;
    let (mode, smsc) = (bind.mode.to_string(), answer.bind_resp().system_id.to_string());
    println!("{}", json!({ "event": "bound", "mode": mode, "smsc": smsc }));
    Ok(())
}

/// Prints each message once all its segments have arrived.
async fn receive(mut inbox: Inbox<Esme>) -> Result<(), Failure> {
    let mut segments = Reassembler::new(ReassemblyLimits::default());
    while let Some(inbound) = inbox.recv().await {
        let Inbound::DeliverSm(message) = inbound else { continue };
        let deliver_sm = message.get();
        let user_data = deliver_sm.user_data()?;
        let (source, destination) = (deliver_sm.source, deliver_sm.destination);
        let (total, text) = match segments.push(Instant::ZERO, source, destination, &user_data, ())? {
            Pushed::Standalone(()) => (1, user_data.text(Codings::default())),
            Pushed::Complete(message) => (message.total(), message.text(Codings::default())),
            _ => (0, None),
        };
        if let Some(text) = text {
            let (from, to) = (source.digits.to_string(), destination.digits.to_string());
            println!(
                "{}",
                json!({ "event": "message", "from": from, "to": to, "segments": total, "text": text })
            );
        }
        message.accept()?;
    }
    Ok(())
}

async fn smsc(tls_ca: Option<PathBuf>) -> Result<(), Failure> {
    let mut listener = Listener::bind("127.0.0.1:0", Config::default()).await?;
    if let Some(path) = tls_ca {
        let certificate = Certificate::for_localhost()?;
        std::fs::write(path, certificate.ca_pem())?;
        listener = listener.tls(certificate.server_tls());
    }
    println!("listening on {} for shop", listener.local_addr()?);
    loop {
        let request = listener.accept().await?.bind_request().await?;
        if let Err(error) = serve(request).await {
            println!("{}", json!({ "event": "error", "error": error.to_string() }));
        }
    }
}

/// Serves one ESME: enquire_link, two messages if it receives, unbind.
async fn serve(request: BindRequest) -> Result<(), Failure> {
    let bind = request.bind();
    if !bind.password.equals(b"s3cret") {
        let end = request.refuse(CommandStatus::RINVPASWD).await;
        println!("{}", json!({ "event": "refused", "reason": end.to_string() }));
        return Ok(());
    }
    let (mode, version) = (bind.mode, format!("{:?}", bind.interface_version));
    let bound = json!({
        "event": "bound", "mode": mode.to_string(), "system_id": bind.system_id.to_string(), "version": version,
    });
    let (peer, _inbox) = request.accept(COctets::new(b"interop")?)?;
    println!("{bound}");
    peer.request(&EnquireLink).await?;
    println!("{}", json!({ "event": "alive" }));
    if mode.receives() {
        let long = "A long text for a phone comes in segments, with escapes: \u{20AC}[]{}. ".repeat(4);
        let template = SubmitSm {
            source: Address::international("6591234567")?,
            destination: Address::international("6580000000")?,
            ..SubmitSm::default()
        };
        for text in [long.as_str(), "\u{1F44B} from a phone"] {
            for segment in Text::new(text).segments(ConcatRef::Narrow(7))?.submissions(template) {
                let SubmitSm { source, destination, esm_class, data_coding, short_message, .. } =
                    segment.submit_sm();
                let deliver_sm = DeliverSm {
                    source,
                    destination,
                    esm_class,
                    data_coding,
                    short_message,
                    ..DeliverSm::default()
                };
                peer.deliver(&deliver_sm).await?;
                println!("{}", json!({ "event": "delivered", "octets": deliver_sm.text().len() }));
            }
        }
    }
    let reason = peer.unbind().await.to_string();
    let Stats { malformed, unexpected_responses, quirks, .. } = peer.stats();
    println!(
        "{}",
        json!({ "event": "ended", "reason": reason, "malformed": malformed, "unexpected_responses": unexpected_responses, "quirks": quirks })
    );
    Ok(())
}
