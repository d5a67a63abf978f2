//! What binds and messages cost with many binds of one account, in slots that are looked at.

use alloc::collections::BTreeMap;

use super::super::link_slot::LinkSlot;
use super::*;

const NOW: Instant = Instant::ZERO;

/// An account, and the SMSC's session of each connection.
struct Many {
    account: Account,
    servers: BTreeMap<LinkId, Session<Smsc, ()>>,
}

impl Many {
    /// Makes all binds of an account.
    fn new(binds: u16) -> Self {
        let binds = Binds::transceivers(binds);
        let options = Options {
            max_binds: binds.count(),
            binds,
            connect_interval: Duration::ZERO,
            session: Config { rate: None, operations: session::Operations::all(), ..options().session },
            rate: None,
            ..options()
        };
        let account = Account::new(options, NOW).unwrap();
        let mut many = Self { account, servers: BTreeMap::new() };
        many.run();
        many
    }

    /// Runs until nothing is left to do.
    fn run(&mut self) {
        loop {
            while let Some(action) = self.account.poll_action() {
                match action {
                    Action::Resolve { link } => self.account.handle_resolved(NOW, link, Ok(&[address(1)])),
                    Action::Connect { link, .. } => {
                        assert!(self.account.handle_connected(NOW, link, ()));
                        self.servers.insert(link, Session::new(Config::default(), NOW));
                    }
                    Action::Close { link } => {
                        self.servers.remove(&link);
                        self.account.handle_closed(NOW, link);
                    }
                }
            }
            while self.account.poll_event().is_some() {}
            if let Some(link) = self.account.poll_changed_link() {
                self.carry(link);
            } else if self.account.poll_timeout().is_some_and(|at| at <= NOW) {
                self.account.handle_timeout(NOW);
            } else {
                return;
            }
        }
    }

    /// Carries what a connection has to transmit, and the responses.
    fn carry(&mut self, link: LinkId) {
        let (mut up, mut down) = (Vec::new(), Vec::new());
        if !self.account.poll_transmit(link, &mut up) {
            return;
        }
        self.account.handle_transmitted(NOW, link, up.len());
        let server = self.servers.get_mut(&link).unwrap();
        let mut input = &up[..];
        while let Some(event) = server.handle_input(NOW, &mut input) {
            match event {
                session::Event::Request { request: Request::Bind(_, reply), .. } => {
                    server.respond(reply, Ok(BindResp::default())).unwrap();
                }
                session::Event::Request { request: Request::QuerySm(_, reply), .. } => {
                    server.respond(reply, Ok(QuerySmResp::default())).unwrap();
                }
                session::Event::Request { request: Request::SubmitSm(_, reply), .. } => {
                    let message_id = COctets::new(b"id").unwrap();
                    server
                        .respond(reply, Ok(SubmitSmResp { message_id, ..SubmitSmResp::default() }))
                        .unwrap();
                }
                _ => {}
            }
        }
        server.poll_transmit(&mut down);
        server.handle_transmitted(down.len());
        self.account.handle_input(NOW, link, &mut &down[..]);
    }

    fn bound(&self) -> usize {
        self.account.links.iter().filter(|link| link.is_bound()).count()
    }

    /// Returns how many slots were looked at since the last call.
    fn visits(&self) -> usize {
        self.account.link_index.visits.take()
    }
}

#[test]
fn binds_of_one_account_take_time_linear_in_their_number() {
    let visits = |binds: u16| {
        let many = Many::new(binds);
        assert_eq!(many.bound(), usize::from(binds));
        many.visits()
    };
    let (few, many) = (visits(20), visits(2_000));
    assert!(few <= 20 * 20, "{few} slots");
    assert!(many <= few * 101, "{many} slots for 2,000 binds, {few} for 20");
}

#[test]
fn a_turn_of_a_bind_does_not_depend_on_the_number_of_binds() {
    let turn = |binds| {
        let mut many = Many::new(binds);
        let link = LinkId(binds - 1);
        many.visits();
        // A message, a request, a turn without anything, and a bind that ends and is made again.
        many.account.submit(NOW, &Message::text(&template(), "Hello")).unwrap();
        many.run();
        let query = crate::pdu::QuerySm { message_id: COctets::new(b"other").unwrap(), ..Default::default() };
        many.account.request(NOW, &MessageRequest::query_sm(&query)).unwrap();
        many.run();
        many.account.handle_link_timeout(NOW, link);
        many.account.handle_timeout(NOW);
        many.account.handle_disconnect(NOW, link);
        many.run();
        many.visits()
    };
    let (few, many) = (turn(2), turn(2_000));
    assert_eq!(few, many);
    assert!(few <= 30, "{few} slots");
}

#[test]
fn the_index_of_the_slots_agrees_with_them() {
    let mut many = Many::new(50);
    for link in [3, 17, 40] {
        many.account.handle_eof(NOW, LinkId(link));
    }
    many.run();
    many.account.set_binds(NOW, Binds::transceivers(20).and(Binds::receivers(5))).unwrap();
    many.run();
    let options = Options { max_binds: 30, ..many.account.options().clone() };
    many.account.reconfigure(NOW, options).unwrap();
    many.run();
    let account = &many.account;
    let busy = account.links.iter().filter(|link| !link.is_idle()).count();
    assert_eq!(account.link_index.busy(), busy);
    for group in 0..2 {
        let of_group = |link: &&LinkSlot<()>| link.wanted.is_some_and(|wanted| wanted.group == group);
        let slots: Vec<_> = account.links.iter().filter(of_group).collect();
        let index = account.link_index.group(group).unwrap();
        let bound = slots.iter().filter(|link| link.is_bound()).count();
        let busy = slots.iter().filter(|link| !link.is_idle()).count();
        assert_eq!((index.bound, index.busy), (bound, busy), "group {group}");
        let idle = account.links.iter().zip(0..).filter(|(link, _)| of_group(link) && link.is_idle());
        let first = idle.map(|(link, index)| (link.ready_at, LinkId(index))).min();
        assert_eq!(index.first_idle(), first, "group {group}");
    }
}
