//! Measures a submit_sm and its response through two sessions in memory, for several windows:
//! `cargo bench -p smpp-proto --bench session`. The time is that of a whole window; the throughput is in messages.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a benchmark")]

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use smpp_proto::session::{Config, Esme, Event, Instant, Request, Session, Smsc};
use smpp_proto::{Address, Bind, BindResp, COctets, ShortMessage, SubmitSm, SubmitSmResp};

const NOW: Instant = Instant::ZERO;

struct Pair {
    esme: Session<Esme, u32>,
    smsc: Session<Smsc, u32>,
    octets: Vec<u8>,
}

impl Pair {
    fn bound(window: u16) -> Self {
        let config = Config::default().window(window).max_unanswered(window).max_output(1 << 20);
        let (esme, smsc) = (Session::new(config, NOW), Session::new(config, NOW));
        let mut pair = Self { esme, smsc, octets: Vec::new() };
        pair.esme.request(NOW, &Bind::default(), 0).unwrap();
        assert_eq!(pair.exchange(), 1);
        pair
    }

    /// Transmits all requests, and all responses back. Returns the number of outcomes.
    fn exchange(&mut self) -> usize {
        let message_id = COctets::new(b"0123456789ABCDEF").unwrap();
        self.octets.clear();
        self.esme.poll_transmit(&mut self.octets);
        self.esme.handle_transmitted(self.octets.len());
        let mut input = &self.octets[..];
        while let Some(event) = self.smsc.handle_input(NOW, &mut input) {
            let Event::Request { request, .. } = event else { panic!("{event:?}") };
            let result = match request {
                Request::Bind(_, reply) => self.smsc.respond(reply, Ok(BindResp::default())),
                Request::SubmitSm(_, reply) => {
                    self.smsc.respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }))
                }
                other => panic!("{other:?}"),
            };
            result.unwrap();
        }
        self.octets.clear();
        self.smsc.poll_transmit(&mut self.octets);
        self.smsc.handle_transmitted(self.octets.len());
        let mut input = &self.octets[..];
        let mut outcomes = 0;
        while let Some(Event::Outcome { .. }) = self.esme.handle_input(NOW, &mut input) {
            outcomes += 1;
        }
        outcomes
    }
}

fn round_trip(c: &mut Criterion) {
    let message = SubmitSm {
        destination: Address::international("6591234567").unwrap(),
        short_message: ShortMessage::new(b"Your code is 123456. It is valid for ten minutes.").unwrap(),
        ..SubmitSm::default()
    };
    let mut group = c.benchmark_group("submit_sm and its response");
    for window in [1_u16, 64, 4096] {
        let mut pair = Pair::bound(window);
        group.throughput(Throughput::Elements(window.into()));
        group.bench_function(BenchmarkId::new("window", window), |b| {
            b.iter(|| {
                for tag in 0..window {
                    pair.esme.request(NOW, &message, tag.into()).unwrap();
                }
                assert_eq!(pair.exchange(), usize::from(window));
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50);
    targets = round_trip
}
criterion_main!(benches);
