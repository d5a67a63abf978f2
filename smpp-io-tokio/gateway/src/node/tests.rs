//! What the simulation meets rarely: each rule with its requests, one by one.

use std::time::Duration;

use smpp_proto::session::Instant;

use super::*;

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

/// Returns the commands so far.
fn commands(node: &mut Node<()>) -> Vec<Command<()>> {
    std::iter::from_fn(|| node.poll_command()).collect()
}

/// Returns the requests so far, without those of nodes and leases.
fn requests(node: &mut Node<()>) -> Vec<(RequestId, Request)> {
    let all = commands(node).into_iter().filter_map(|command| match command {
        Command::Request(id, request) => Some((id, request)),
        _ => None,
    });
    let is_member = |request: &Request| {
        matches!(request, Request::PutNode { .. } | Request::ListMembers | Request::RenewLease { .. })
    };
    all.filter(|(_, request)| !is_member(request)).collect()
}

/// Returns the only request.
fn request(node: &mut Node<()>) -> (RequestId, Request) {
    let mut all = requests(node);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Creates a node with this many leases, all binds up.
fn bound(leases: u16) -> Node<()> {
    bound_with(leases, &Options::default())
}

fn bound_with(leases: u16, options: &Options) -> Node<()> {
    let options = Options { max_binds: leases, ..options.clone() };
    let mut node = Node::new(options, "me".into(), at(0));
    list(&mut node, &[]);
    for (id, request) in requests(&mut node) {
        assert!(matches!(request, Request::CreateLease { .. }));
        node.handle_reply(at(0), id, Reply::Done(id.0));
    }
    assert_eq!(node.binds(), leases);
    commands(&mut node);
    node.handle_binds(at(0), leases, leases);
    commands(&mut node);
    node
}

/// Answers the request for the nodes that live, this one and these, and those that renew leases.
fn list(node: &mut Node<()>, others: &[&str]) {
    for command in commands(node) {
        match command {
            Command::Request(id, Request::ListMembers) => {
                let nodes = others.iter().map(|it| (*it).to_owned()).collect();
                let members = Reply::Members { nodes, leaving: Vec::new(), leases: Vec::new() };
                node.handle_reply(at(3_001), id, members);
            }
            Command::Request(id, Request::RenewLease { .. }) => {
                node.handle_reply(at(3_001), id, Reply::Done(100 + id.0));
            }
            _ => {}
        }
    }
}

/// A message whose delivery has the token of its number.
fn work(sequence: u64, key: &str) -> Work<()> {
    let content = WorkContent { key: key.into(), resend_when_uncertain: false, expires: None, body: () };
    let (priority, token) = (Priority::Normal, AckToken(sequence));
    Work { priority, sequence, published: 0, token, content: Ok(content) }
}

/// The node takes a message and finds this attempt.
fn take(node: &mut Node<()>, resend_when_uncertain: bool, found: Attempt) {
    let content = WorkContent { key: "key".into(), resend_when_uncertain, expires: None, body: () };
    let work = Work {
        priority: Priority::Normal,
        sequence: 1,
        published: 0,
        token: AckToken(1),
        content: Ok(content),
    };
    node.handle_work(at(1), work);
    let (id, _) = request(node);
    node.handle_reply(at(2), id, Reply::Conflict);
    let (id, read) = request(node);
    assert!(matches!(read, Request::ReadAttempt { .. }));
    node.handle_reply(at(3), id, Reply::Attempt(Some((7, found))));
}

fn attempt(node: &str, outcome: Option<Outcome>) -> Attempt {
    Attempt { node: node.into(), nonce: 1, sequence: 9, sent_before: 0, outcome }
}

#[test]
fn the_event_of_a_dead_node_is_told_under_its_id_and_the_message_acknowledged_if_it_was_told() {
    for reply in [Reply::Conflict, Reply::Done(1)] {
        let mut node = bound(1);
        take(&mut node, false, attempt("dead", Some(Outcome::new(EventKind::Refused, "no"))));
        let (id, publish) = request(&mut node);
        let Request::Publish(event) = publish else { panic!("{publish:?}") };
        assert_eq!(event.identity(), (EventKind::Refused, "key", "9"));
        node.handle_reply(at(4), id, reply);
        let (_, next) = request(&mut node);
        assert!(matches!(next, Request::Acknowledge(_)), "{next:?}");
    }
}

/// Another node may have the first one, and remove the second as its duplicate: then both would be lost if that node died.
#[test]
fn of_two_messages_with_the_same_key_the_first_stays_in_the_queue() {
    let mut node = bound(1);
    for sequence in [2, 1, 3] {
        node.handle_work(at(1), work(sequence, "key"));
    }
    let all = commands(&mut node);
    let ends = all.iter().filter(|it| matches!(it, Command::GiveBack(_) | Command::AckDuplicate(_)));
    let ends: Vec<_> = ends.collect();
    assert!(
        matches!(ends[..], [Command::GiveBack(AckToken(1)), Command::AckDuplicate(AckToken(3))]),
        "{all:?}"
    );
}

/// Another node may have taken it before, and not have found out yet: the key must not be forgotten now.
#[test]
fn an_outcome_of_a_dead_node_is_recorded_again_before_it_is_told() {
    let mut node = bound(1);
    let of_dead = attempt("dead", Some(Outcome::new(EventKind::Refused, "no")));
    take(&mut node, false, Attempt { sequence: 1, ..of_dead });
    let (id, write) = request(&mut node);
    let Request::WriteAttempt { revision: 7, attempt: written, .. } = write else { panic!("{write:?}") };
    assert_eq!(written.outcome.unwrap().kind, EventKind::Refused);
    node.handle_reply(at(4), id, Reply::Done(8));
    let (_, publish) = request(&mut node);
    assert!(matches!(publish, Request::Publish(_)), "{publish:?}");
}

#[test]
fn a_message_of_a_dead_node_is_uncertain_and_one_of_a_live_node_goes_back() {
    let mut node = bound(1);
    take(&mut node, false, attempt("dead", None));
    let (_, write) = request(&mut node);
    let Request::WriteAttempt { revision: 7, attempt: written, .. } = write else { panic!("{write:?}") };
    assert_eq!(written.outcome.unwrap().kind, EventKind::Uncertain);

    let mut node = bound(1);
    node.handle_timeout(at(3_000));
    list(&mut node, &["zoe"]);
    commands(&mut node);
    take(&mut node, false, attempt("zoe", None));
    let all = commands(&mut node);
    assert!(all.iter().any(|command| matches!(command, Command::GiveBack(AckToken(1)))), "{all:?}");
    assert_eq!(node.in_hand(), (0, 0));
}

#[test]
fn a_withdrawn_attempt_keeps_that_an_earlier_one_may_have_been_sent() {
    let mut node = bound(1);
    take(&mut node, true, attempt("dead", None));
    let (id, _) = request(&mut node);
    node.handle_reply(at(4), id, Reply::Done(8));
    let item = commands(&mut node).into_iter().find_map(|command| match command {
        Command::Submit { item, .. } => Some(item),
        _ => None,
    });
    node.handle_ended(at(5), item.unwrap(), Ended::NeverSent);
    let (_, write) = request(&mut node);
    let Request::WriteAttempt { revision: 8, attempt: written, .. } = write else { panic!("{write:?}") };
    assert_eq!((written.node.as_str(), written.sent_before, written.outcome), ("", 1, None));
}

#[test]
fn a_lease_is_deleted_only_once_the_connections_are_reported() {
    let mut node = bound(2);
    // One connection is up; the account may open the second at any moment.
    node.handle_binds(at(1), 1, 1);
    node.handle_timeout(at(3_000));
    list(&mut node, &["other"]);
    let all = commands(&mut node);
    assert!(all.iter().any(|command| matches!(command, Command::SetBinds(1))));
    let deletes = |command: &Command<()>| matches!(command, Command::Request(_, Request::DeleteLease { .. }));
    assert!(!all.iter().any(deletes), "{all:?}");
    node.handle_binds(at(3_002), 1, 1);
    assert_eq!(commands(&mut node).iter().filter(|command| deletes(command)).count(), 1);
}

fn phone_part(number: u8, digest: &str) -> PhonePart {
    PhonePart {
        group: "group".into(),
        number,
        total: 2,
        digest: digest.into(),
        from: String::new(),
        to: String::new(),
        data_coding: 0,
        esm_class: 0,
        octets: String::new(),
    }
}

fn told_part(number: u8, digest: &str) -> ToldPart {
    ToldPart { number, digest: digest.into(), at: 0 }
}

#[test]
fn a_part_that_was_told_is_acknowledged_and_not_stored_again() {
    let mut node = bound(1);
    for (digest, is_told) in [("d2", true), ("other", false)] {
        node.handle_phone_part(at(1), DeliveryId(1), phone_part(2, "d2"));
        let (id, _) = request(&mut node);
        let told = [(1, "d1"), (2, digest)].map(|(number, digest)| told_part(number, digest)).into();
        node.handle_reply(at(2), id, Reply::Group(Some((5, Group { told, ..Group::default() }))));
        let all = commands(&mut node);
        let answered = all.iter().any(|command| matches!(command, Command::Answer { accept: true, .. }));
        let stores =
            |it: &Command<()>| matches!(it, Command::Request(_, Request::WriteGroup { revision: 5, .. }));
        assert_eq!((answered, all.iter().any(stores)), (is_told, !is_told));
    }
}

#[test]
fn a_part_that_contradicts_those_that_wait_starts_another_message_and_they_are_told_first() {
    let mut node = bound(1);
    node.handle_phone_part(at(1), DeliveryId(1), phone_part(1, "new"));
    let (id, _) = request(&mut node);
    let waiting = Group { parts: vec![phone_part(1, "old")], ..Group::default() };
    node.handle_reply(at(2), id, Reply::Group(Some((5, waiting))));
    let (id, write) = request(&mut node);
    let Request::WriteGroup { revision: 5, content, .. } = write else { panic!("{write:?}") };
    assert!(content.decided.is_some() && content.parts[0].digest == "old", "{content:?}");
    node.handle_reply(at(3), id, Reply::Done(6));
    let (id, publish) = request(&mut node);
    let Request::Publish(event) = publish else { panic!("{publish:?}") };
    assert!(matches!(&event.body, EventBody::Message { parts } if parts.len() == 1), "{event:?}");
    node.handle_reply(at(4), id, Reply::Done(1));
    let (id, finish) = request(&mut node);
    let Request::WriteGroup { revision: 6, content, .. } = finish else { panic!("{finish:?}") };
    assert_eq!((content.parts.len(), &content.told[..]), (0, &[told_part(1, "old")][..]));
    node.handle_reply(at(5), id, Reply::Done(7));
    let (id, _) = request(&mut node);
    node.handle_reply(at(6), id, Reply::Group(Some((7, *content))));
    let (id, write) = request(&mut node);
    let Request::WriteGroup { revision: 7, content, .. } = write else { panic!("{write:?}") };
    assert!(content.decided.is_none() && content.parts[0].digest == "new", "{content:?}");
    node.handle_reply(at(7), id, Reply::Done(8));
    let all = commands(&mut node);
    assert!(matches!(all[..], [Command::Answer { accept: true, .. }]), "{all:?}");
}

#[test]
fn what_is_stored_and_cannot_be_read_is_an_attempt_all_the_same() {
    let stored = serde_json::to_vec(&attempt("other", None)).unwrap();
    assert_eq!(Attempt::read(&stored), attempt("other", None));
    // Deleted: nothing was sent. The revision counts.
    let mut node = bound(1);
    take(&mut node, false, Attempt::read(b""));
    let (_, write) = request(&mut node);
    let Request::WriteAttempt { revision: 7, attempt: written, .. } = write else { panic!("{write:?}") };
    assert_eq!((written.node.as_str(), written.outcome), ("me", None));
    // Of another version: it may have been sent.
    let mut node = bound(1);
    take(&mut node, false, Attempt::read(br#"{"version":9}"#));
    let (_, write) = request(&mut node);
    let Request::WriteAttempt { revision: 7, attempt: written, .. } = write else { panic!("{write:?}") };
    assert_eq!(written.outcome.unwrap().kind, EventKind::Uncertain);
}

#[test]
fn an_attempt_that_conflicts_again_is_read_after_a_while() {
    let mut node = bound(1);
    take(&mut node, false, attempt("", None));
    let (id, write) = request(&mut node);
    assert!(matches!(write, Request::WriteAttempt { revision: 7, .. }), "{write:?}");
    node.handle_reply(at(4), id, Reply::Conflict);
    assert!(requests(&mut node).is_empty());
    node.handle_timeout(at(204));
    let (_, read) = request(&mut node);
    assert!(matches!(read, Request::ReadAttempt { .. }), "{read:?}");
}

#[test]
fn a_renewal_that_fails_is_repeated_before_the_bind_is_given_up() {
    let mut node = bound(1);
    let renewal = |node: &mut Node<()>| {
        let renewals = commands(node).into_iter().filter_map(|command| match command {
            Command::Request(id, Request::RenewLease { .. }) => Some(id),
            _ => None,
        });
        let renewals: Vec<RequestId> = renewals.collect();
        assert_eq!(renewals.len(), 1);
        renewals[0]
    };
    node.handle_timeout(at(3_000));
    let id = renewal(&mut node);
    node.handle_reply(at(4_500), id, Reply::Failed);
    node.handle_timeout(at(4_700));
    let id = renewal(&mut node);
    node.handle_reply(at(4_710), id, Reply::Done(50));
    node.handle_timeout(at(6_100));
    assert_eq!(node.binds(), 1);
}

#[test]
fn receipts_that_nobody_knows_leave_room_for_others() {
    let options = Options { lookups: 2, ..Options::default() };
    let mut node: Node<()> = Node::new(options, "me".into(), at(0));
    commands(&mut node);
    let mut answers = Vec::new();
    for number in 0..3 {
        let receipt = ReceiptDetails {
            id: number.to_string(),
            state: "DELIVERED".into(),
            is_final: true,
            stat: "DELIVRD".into(),
            err: None,
            digest: String::new(),
        };
        node.handle_receipt(at(1), DeliveryId(number), None, vec![number.to_string()], receipt);
        let (id, _) = request(&mut node);
        node.handle_reply(at(2), id, Reply::Owner(None));
        let (id, _) = request(&mut node);
        node.handle_reply(at(3), id, Reply::Found(false));
        answers.extend(commands(&mut node));
    }
    let [Command::Answer { delivery: DeliveryId(2), accept: false }] = answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!(node.in_hand(), (0, 2));
}

/// The node takes a message, and is cut off for so many hours: it does not learn whether its attempt was written.
fn cut_off(hours: u64) -> Node<()> {
    let mut node = bound(1);
    node.handle_work(at(1), work(1, "key"));
    let (id, _) = request(&mut node);
    let later = hours * 3_600_000;
    node.handle_reply(at(later), id, Reply::Failed);
    node.handle_timeout(at(later + 200));
    node
}

/// Answers the last request, and returns the commands that follow.
fn reply(node: &mut Node<()>, hours: u64, expected: fn(&Request) -> bool, reply: Reply) -> Vec<Command<()>> {
    let (id, request) = requests(node).pop().unwrap();
    assert!(expected(&request), "{request:?}");
    node.handle_reply(at(hours * 3_600_000 + 201), id, reply);
    commands(node)
}

const fn is_read(request: &Request) -> bool {
    matches!(request, Request::ReadAttempt { .. })
}

/// Whether it withdraws an attempt with this revision; 0 if there is none.
fn is_withdrawal(request: &Request, of: u64) -> bool {
    matches!(request, Request::WriteAttempt { revision, attempt, .. } if *revision == of && attempt.node.is_empty())
}

fn gives_back(commands: &[Command<()>]) -> bool {
    commands.iter().any(|it| matches!(it, Command::GiveBack(AckToken(1))))
}

#[test]
fn a_node_that_was_cut_off_for_as_long_as_keys_are_remembered_gives_back_what_it_has() {
    for (hours, is_kept) in [(11, true), (13, false)] {
        let mut node = cut_off(hours);
        // Nobody has written it, or another node has long ago, and it is forgotten.
        let all = reply(&mut node, hours, is_read, Reply::Attempt(None));
        let [Command::Request(id, written)] = &all[..] else { panic!("{all:?}") };
        assert_eq!(is_withdrawal(written, 0), !is_kept, "{written:?}");
        node.handle_reply(at(hours * 3_600_000 + 202), *id, Reply::Done(7));
        assert_eq!(gives_back(&commands(&mut node)), !is_kept);
    }
}

/// Given back, it would come again at once and wait as long: no message would ever be sent.
#[test]
fn a_message_that_has_waited_for_as_long_as_keys_are_remembered_is_left_to_a_later_delivery() {
    let options = Options { rate: Some(1), remember: Duration::from_secs(4), ..Options::default() };
    let mut node = bound_with(1, &options);
    for sequence in 0..3 {
        node.handle_work(at(1), work(sequence, &sequence.to_string()));
    }
    node.handle_timeout(at(1_500));
    let is_create = |it: &Command<()>| matches!(it, Command::Request(_, Request::WriteAttempt { .. }));
    assert_eq!(commands(&mut node).iter().filter(|it| is_create(it)).count(), 2);
    node.handle_timeout(at(2_500));
    let all = commands(&mut node);
    assert!(all.iter().any(|it| matches!(it, Command::Abandon(AckToken(2)))), "{all:?}");
    assert!(!all.iter().any(is_create), "{all:?}");
}

/// Otherwise other nodes would wait forever for the outcome of a node that lives.
#[test]
fn an_attempt_that_is_written_after_the_node_has_given_it_up_is_withdrawn() {
    let mut node = cut_off(13);
    let id = requests(&mut node).pop().unwrap().0;
    node.handle_reply(at(13 * 3_600_000 + 201), id, Reply::Attempt(None));
    // The request of 13 hours ago arrives now.
    let id = requests(&mut node).pop().unwrap().0;
    node.handle_reply(at(13 * 3_600_000 + 202), id, Reply::Conflict);
    let mine = Attempt { sequence: 1, ..attempt("me", None) };
    let all = reply(&mut node, 13, is_read, Reply::Attempt(Some((9, mine))));
    let [Command::Request(id, written)] = &all[..] else { panic!("{all:?}") };
    assert!(is_withdrawal(written, 9), "{written:?}");
    node.handle_reply(at(13 * 3_600_000 + 203), *id, Reply::Done(10));
    assert!(gives_back(&commands(&mut node)));
    // If it was withdrawn already, or another node has it, nothing is left to do.
    for found in [attempt("", None), attempt("dead", None)] {
        let mut node = cut_off(13);
        let all = reply(&mut node, 13, is_read, Reply::Attempt(Some((9, found))));
        assert!(gives_back(&all), "{all:?}");
    }
}

#[test]
fn a_receipt_that_was_told_as_unmatched_is_acknowledged_at_once_when_it_comes_again() {
    let mut node: Node<()> = bound(1);
    let receipt = ReceiptDetails {
        id: "7f".into(),
        state: "DELIVERED".into(),
        is_final: true,
        stat: "DELIVRD".into(),
        err: None,
        digest: "d".into(),
    };
    node.handle_receipt(at(1), DeliveryId(1), None, vec!["7f".into()], receipt);
    let (id, _) = request(&mut node);
    node.handle_reply(at(2), id, Reply::Owner(None));
    let (id, find) = request(&mut node);
    let Request::FindEvent(event) = find else { panic!("{find:?}") };
    assert_eq!(event.identity(), (EventKind::Unmatched, "7f", "DELIVRD-d"));
    node.handle_reply(at(3), id, Reply::Found(true));
    let all = commands(&mut node);
    assert!(matches!(all[..], [Command::Answer { delivery: DeliveryId(1), accept: true }]), "{all:?}");
}
