//! A message costs each side one allocation: the octets of the request or of the response, which the application receives.
//! This is a test binary of its own because it has its own allocator, which counts per thread.

mod common;

use std::net::{TcpListener, TcpStream};
use std::thread;

use allocation_counter::measure;
use common::{bind, message, watched};
use smpp_proto::session::{Config, Esme, Smsc};
use smpp_proto::{COctets, SubmitSmResp};
use smpp_std::{Client, Inbound, Inbox, start};

const MESSAGES: u64 = 2000;

fn answer(requests: &mut Inbox<Smsc>, messages: u64) {
    for _ in 0..messages {
        let Some(Inbound::SubmitSm(message)) = requests.recv() else { panic!() };
        let message_id = COctets::new(b"0123456789").unwrap();
        message.respond(Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() })).unwrap();
    }
}

fn submit(client: &Client, window: usize, rounds: u64) {
    let mut pending = Vec::with_capacity(window);
    for _ in 0..rounds / window as u64 {
        pending.extend((0..window).map(|_| client.submit_pipelined(&message()).unwrap()));
        for response in pending.drain(..) {
            drop(response.wait().unwrap());
        }
    }
}

#[test]
fn a_message_costs_one_allocation_on_each_side() {
    watched(|| {
        for window in [1, 50] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let there = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let here = listener.accept().unwrap().0;
            let config = Config::default().window(50);
            let (client, _inbox) = start::<Esme, _>(there, config).unwrap();
            let (_peer, mut requests) = start::<Smsc, _>(here, config).unwrap();
            let serving = thread::spawn(move || {
                let Some(Inbound::Bind(request)) = requests.recv() else { panic!("no bind") };
                request.accept().unwrap();
                answer(&mut requests, MESSAGES);
                measure(|| answer(&mut requests, MESSAGES)).count_total
            });
            client.bind(&bind("secret")).unwrap();
            // The buffers grow to their size.
            submit(&client, window, MESSAGES);
            let submitted = measure(|| submit(&client, window, MESSAGES)).count_total;
            let served = serving.join().unwrap();
            // A few more for the wake lists when the threads take turns, and for the list of pending responses.
            let few = MESSAGES / 10;
            assert!(submitted <= MESSAGES + few, "window {window}: {submitted}");
            assert!(served <= MESSAGES + few, "window {window}: {served}");
        }
    });
}
