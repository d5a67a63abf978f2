//! A session in a future of `smol`, without an adapter: binds, sends a text, waits for its receipts, unbinds.
//!
//! `cargo run -p smpp-core --example smol -- 127.0.0.1:2775 SYSTEM_ID PASSWORD DESTINATION TEXT`, over
//! plain TCP: TLS would wrap the stream, as it does in the adapters.

use std::{collections::BTreeSet, error::Error, io, process::ExitCode, time};

use smol::prelude::*;
use smol::{Timer, future::pending, net::TcpStream};
use smpp_core::session::{CloseReason, Config, Esme, Event, Instant, Outcome, Request, Session};
use smpp_core::sms::{ConcatRef, Receipt, Submission, Text};
use smpp_core::{Address, Bind, COctets, DeliverSmResp, Password, RegisteredDelivery, SubmitSm};

fn main() -> ExitCode {
    let Ok(arguments) = <[String; 5]>::try_from(std::env::args().skip(1).collect::<Vec<_>>()) else {
        eprintln!("usage: smol HOST:PORT SYSTEM_ID PASSWORD DESTINATION TEXT");
        return ExitCode::from(2);
    };
    let Err(error) = smol::block_on(run(&arguments)) else { return ExitCode::SUCCESS };
    eprintln!("{error}");
    ExitCode::FAILURE
}

/// The loop: octets and time into the session, events and octets out of it, until it is over.
async fn run([server, system_id, password, to, text]: &[String; 5]) -> Result<(), Box<dyn Error>> {
    let system_id = COctets::new(system_id.as_bytes()).map_err(|error| format!("SYSTEM_ID: {error}"))?;
    let password = Password::new(password.as_bytes()).map_err(|error| format!("PASSWORD: {error}"))?;
    let destination = Address::international(to).map_err(|error| format!("DESTINATION: {error}"))?;
    let registered_delivery = RegisteredDelivery::RECEIPT;
    let template = SubmitSm { destination, registered_delivery, ..SubmitSm::default() };
    let reference = ConcatRef::Wide(std::process::id() as u16);
    let parts: Vec<_> = Text::new(text).segments(reference)?.submissions(template).collect();
    let stream = TcpStream::connect(server).await.map_err(|error| format!("{server}: {error}"))?;
    stream.set_nodelay(true)?;
    let (mut source, mut sink) = (stream.clone(), stream);
    let start = time::Instant::now();
    let now = || Instant::after(start.elapsed());
    // Room for all the parts, and an end to the wait for receipts.
    let config =
        Config { window: 255, inactivity_timeout: Some(time::Duration::from_secs(60)), ..Config::default() };
    let mut session = Session::new(config, now());
    session.request(now(), &Bind { system_id, password, ..Bind::default() }, "bind_transceiver")?;
    let (mut input, mut output, mut chunk) = (Vec::new(), Vec::new(), [0; 4096]);
    let (mut ids, mut result) = (Default::default(), Ok(()));
    loop {
        let mut rest = &input[..];
        while let Some(event) =
            session.handle_input(now(), &mut rest).or_else(|| session.handle_timeout(now()))
        {
            if let Event::Closed(why) = event {
                println!("session ended: {why}");
                return if why == CloseReason::Unbound { result } else { result.and(Err(why.into())) };
            }
            let acted = act(&mut session, now(), event, &parts, &mut ids);
            result = result.and(acted).inspect_err(|_| session.unbind(now()));
        }
        input.drain(..input.len() - rest.len());
        session.poll_transmit(&mut output);

        let (reads, writes) = (session.wants_input(), !output.is_empty());
        let due = session.poll_timeout().map(|(at, _)| at - now());
        let write = async { if writes { Turn::Wrote(sink.write(&output).await) } else { pending().await } };
        let read = async { if reads { Turn::Read(source.read(&mut chunk).await) } else { pending().await } };
        let sleep = async {
            due.map_or_else(Timer::never, Timer::after).await;
            Turn::Due
        };
        // Whichever is first; the others are dropped and have done nothing.
        match write.or(read).or(sleep).await {
            // How much has left tells "never sent" from "sent and unanswered".
            Turn::Wrote(Ok(octets @ 1..)) => session.handle_transmitted(output.drain(..octets).len()),
            Turn::Read(Ok(octets @ 1..)) => input.extend_from_slice(&chunk[..octets]),
            Turn::Due => {}
            _ => session.handle_eof(),
        }
    }
}

/// What a turn of the loop has waited for.
enum Turn {
    Wrote(io::Result<usize>),
    Read(io::Result<usize>),
    Due,
}

/// What is done about an event. Receipts may come before the message ids that they are for.
fn act(
    session: &mut Session<Esme, &'static str>,
    now: Instant,
    event: Event<'_, &'static str>,
    parts: &[Submission<'_>],
    [accepted, receipted]: &mut [BTreeSet<Vec<u8>>; 2],
) -> Result<(), Box<dyn Error>> {
    match event {
        Event::Outcome { tag: "bind_transceiver", outcome: Outcome::Accepted(_), .. } => {
            for part in parts {
                session.request(now, &part.submit_sm(), "submit_sm")?;
            }
        }
        Event::Outcome { tag, outcome, .. } => {
            let response = outcome.into_result().map_err(|error| format!("{tag} {error}"))?;
            println!("message_id {}", response.message_id().escape_ascii());
            accepted.insert(response.message_id().to_vec());
        }
        Event::Request { request: Request::DeliverSm(sm, reply), .. } if sm.esm_class.is_receipt() => {
            session.respond(reply, Ok(DeliverSmResp::default()))?;
            let receipt = Receipt::parse_with(sm.text(), sm.tlvs)?;
            println!("receipt {} {}", receipt.id.escape_ascii(), receipt.stat.escape_ascii());
            receipted.extend(receipt.is_final().then(|| receipt.id.to_vec()));
        }
        Event::Request { request, .. } => session.refuse(request)?,
        _ => {}
    }
    if session.in_flight() == 0 && accepted.is_subset(receipted) {
        session.unbind(now);
    }
    Ok(())
}
