//! The session against its promises: order of commands, limits, relaying, and a model of its states.

use super::super::data::BareCarriageReturn;
use super::super::policy::{BadSenders, OwnLiterals};
use super::*;
use crate::control::NameSet;
use crate::control::rcpthosts::RcptHosts;
use crate::server::line::Line;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

fn names(names: &[&str]) -> NameSet {
    NameSet::new(names.iter().map(|name| name.as_bytes().to_vec()).collect())
}

fn policy() -> Policy {
    Policy {
        recipient_hosts: RcptHosts::Listed { hosts: names(&["here.example", ".below.example"]), more: None },
        relay_client: None,
        bad_senders: BadSenders(names(&["@bad.example"])),
        own_literals: OwnLiterals {
            host: Some(b"here.example".to_vec()),
            addresses: Some(vec!["192.0.2.1".parse().unwrap()]),
        },
        databytes: 1000,
        max_recipients: 0,
        bare_cr: BareCarriageReturn::Refused,
        recipient_check: None,
    }
}

fn say(session: &mut Session, line: &str) -> Step {
    session.answer(Command::parse(Line::Complete(line.as_bytes().to_vec()))).unwrap()
}

fn reply(session: &mut Session, line: &str) -> Reply {
    match say(session, line) {
        Step::Reply(reply) => reply,
        other => panic!("{line}: {other:?}"),
    }
}

fn envelope(session: &mut Session) -> Envelope {
    match say(session, "DATA") {
        Step::Message(envelope) => envelope,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transaction_is_sender_recipients_data() {
    let mut session = Session::new(policy());
    assert_eq!(reply(&mut session, "RCPT TO:<a@here.example>"), Reply::MailFirst);
    assert_eq!(reply(&mut session, "DATA"), Reply::MailFirst);
    assert_eq!(reply(&mut session, "MAIL FROM:<s@x>"), Reply::Ok);
    assert_eq!(reply(&mut session, "DATA"), Reply::RcptFirst);
    assert_eq!(reply(&mut session, "RCPT TO:<a@here.example>"), Reply::Ok);
    assert_eq!(reply(&mut session, "RCPT TO:<b@[192.0.2.1]>"), Reply::Ok);
    let envelope = envelope(&mut session);
    let recipients: Vec<&[u8]> = envelope.recipients.iter().map(ForwardPath::address).collect();
    assert_eq!(
        (envelope.sender.address(), recipients),
        (&b"s@x"[..], vec![&b"a@here.example"[..], b"b@here.example"])
    );
    assert_eq!(reply(&mut session, "DATA"), Reply::MailFirst);
}

#[test]
fn a_bad_sender_is_refused_at_its_recipients_even_from_a_relay_client() {
    let mut session = Session::new(Policy { relay_client: Some(Vec::new()), ..policy() });
    assert_eq!(reply(&mut session, "MAIL FROM:<s@BAD.example>"), Reply::Ok);
    assert_eq!(reply(&mut session, "RCPT TO:<a@here.example>"), Reply::BadSender);
    assert_eq!(reply(&mut session, "DATA"), Reply::RcptFirst);
}

#[test]
fn recipient_outside_rcpthosts_is_refused_without_relayclient() {
    let mut session = Session::new(policy());
    say(&mut session, "MAIL FROM:<s@x>");
    assert_eq!(reply(&mut session, "RCPT TO:<a@there.example>"), Reply::HostNotAllowed);

    let mut session = Session::new(Policy { relay_client: Some(b"@fix".to_vec()), ..policy() });
    say(&mut session, "MAIL FROM:<s@x>");
    assert_eq!(reply(&mut session, "RCPT TO:<a@there.example>"), Reply::Ok);
    let recipients = envelope(&mut session).recipients;
    assert_eq!(recipients, [ForwardPath::new(b"a@there.example@fix".to_vec()).unwrap()]);
}

#[test]
fn an_argument_without_an_address_is_a_syntax_error_and_not_an_empty_address() {
    let mut session = Session::new(policy());
    assert_eq!(reply(&mut session, "MAIL s@x"), Reply::MalformedAddress);
    assert_eq!(reply(&mut session, "MAIL"), Reply::Ok);
    assert_eq!(reply(&mut session, "RCPT a@here.example"), Reply::MalformedAddress);
    assert_eq!(reply(&mut session, "RCPT"), Reply::MalformedAddress);
    assert_eq!(reply(&mut session, "RCPT TO: a@here.example"), Reply::Ok);
}

#[test]
fn a_sender_that_is_refused_leaves_no_earlier_transaction_to_add_to() {
    for refused in ["MAIL FROM:<s@x> SIZE=1001", "MAIL s@x", "MAIL FROM:<a\tb@x>"] {
        let mut session = Session::new(policy());
        say(&mut session, "MAIL FROM:<s@x>");
        say(&mut session, "RCPT TO:<a@here.example>");
        assert_ne!(reply(&mut session, refused), Reply::Ok);
        assert_eq!(reply(&mut session, "DATA"), Reply::MailFirst);
    }
}

#[test]
fn a_size_that_databytes_forbids_is_refused_before_it_is_sent() {
    let mut session = Session::new(policy());
    assert_eq!(reply(&mut session, "MAIL FROM:<s@x> SIZE=1001"), Reply::TooLarge);
    assert_eq!(reply(&mut session, "MAIL FROM:<s@x> SIZE=1000 BODY=8BITMIME"), Reply::Ok);
    let mut session = Session::new(Policy { databytes: 0, ..policy() });
    assert_eq!(reply(&mut session, "MAIL FROM:<s@x> SIZE=99999999999999999999"), Reply::Ok);
}

/// S4, S5: such a line changes nothing, wherever it comes.
#[test]
fn s4_a_control_byte_or_a_long_line_changes_no_state() {
    let mut session = Session::new(policy());
    say(&mut session, "MAIL FROM:<s@x>");
    say(&mut session, "RCPT TO:<a@here.example>");
    assert_eq!(reply(&mut session, "RSET\0"), Reply::ControlByte);
    assert_eq!(reply(&mut session, "MAIL FROM:<o@x>\rx"), Reply::ControlByte);
    assert_eq!(reply(&mut session, "RCPT TO:<b\t@here.example>"), Reply::ControlByte);
    assert_eq!(session.answer(Command::parse(Line::TooLong)).unwrap(), Step::Reply(Reply::LineTooLong));
    assert_eq!(envelope(&mut session).recipients.len(), 1);
}

/// M2: what is over the limit is refused for now, and what is below it stays.
#[test]
fn m2_recipients_over_the_limit_are_put_off() {
    let mut session = Session::new(Policy { max_recipients: 3, ..policy() });
    say(&mut session, "MAIL FROM:<s@x>");
    let replies: Vec<Reply> =
        (0..5).map(|n| reply(&mut session, &format!("RCPT TO:<{n}@here.example>"))).collect();
    let (ok, over) = (Reply::Ok, Reply::TooManyRecipients);
    assert_eq!(replies, [ok.clone(), ok.clone(), ok, over.clone(), over]);
    assert_eq!(envelope(&mut session).recipients.len(), 3);
}

/// P3: refusals are counted over transactions.
#[test]
fn p3_somebody_who_tries_addresses_is_slowed_down_and_then_sent_away() {
    let mut session = Session::new(policy());
    for refused in 1..=20_u32 {
        say(&mut session, "MAIL FROM:<s@x>");
        assert_eq!(reply(&mut session, "RCPT TO:<a@there.example>"), Reply::HostNotAllowed);
        assert_eq!(session.delay().is_zero(), refused <= 10, "{refused}");
    }
    let last = say(&mut session, "RCPT TO:<a@there.example>");
    assert_eq!(last, Step::HangUp(Reply::TooManyRefused));
}

/// Forms of address; of those that are taken, what is queued.
const RELAY_FORMS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/relay.tsv"));

/// P2: the forms that relay testers try. Each is refused, or it is a local part at one of our hosts, or one
/// without a host, which is ours as well; none leaves for there.example.
#[test]
fn p2_no_known_form_of_address_relays() {
    let forms: Vec<Vec<&str>> = RELAY_FORMS.lines().map(|line| line.split('\t').collect()).collect();
    for form in &forms {
        let mut session = Session::new(policy());
        say(&mut session, "MAIL FROM:<s@x>");
        match form.as_slice() {
            ["refused", form] => {
                assert_eq!(reply(&mut session, &format!("RCPT TO:{form}")), Reply::HostNotAllowed, "{form}");
            }
            ["local", form, queued] => {
                assert_eq!(reply(&mut session, &format!("RCPT TO:{form}")), Reply::Ok, "{form}");
                let recipients = envelope(&mut session).recipients;
                assert_eq!(recipients, [ForwardPath::new(queued.as_bytes().to_vec()).unwrap()], "{form}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(forms.len() >= 60);
}

/// The protocol's state as one would draw it: what has been said, and how many recipients there are.
#[derive(Clone, Copy, Debug)]
enum Model {
    Nothing,
    Sender { bad: bool, recipients: usize },
}

const LINES: [&str; 14] = [
    "HELO h",
    "EHLO h",
    "MAIL FROM:<s@x>",
    "MAIL FROM:<s@bad.example>",
    "MAIL FROM:<s@x> SIZE=2000",
    "RCPT TO:<a@here.example>",
    "RCPT TO:<a@there.example>",
    "RCPT a",
    "DATA",
    "RSET",
    "NOOP",
    "FOO",
    "RCPT TO:<\x01@here.example>",
    "VRFY a",
];

/// Code of the reply, and the state after it; for DATA that is taken, 354 and how many recipients it has.
fn model(state: Model, line: &str) -> (u16, Model, usize) {
    match (line, state) {
        ("HELO h" | "EHLO h" | "RSET", _) => (250, Model::Nothing, 0),
        ("MAIL FROM:<s@x> SIZE=2000", _) => (552, Model::Nothing, 0),
        ("MAIL FROM:<s@x>", _) => (250, Model::Sender { bad: false, recipients: 0 }, 0),
        ("MAIL FROM:<s@bad.example>", _) => (250, Model::Sender { bad: true, recipients: 0 }, 0),
        ("NOOP", _) => (250, state, 0),
        ("FOO", _) => (502, state, 0),
        ("VRFY a", _) => (252, state, 0),
        ("RCPT TO:<\x01@here.example>", _) => (501, state, 0),
        (_, Model::Nothing) => (503, state, 0),
        ("RCPT a", _) => (555, state, 0),
        ("DATA", Model::Sender { recipients: 0, .. }) => (503, state, 0),
        ("DATA", Model::Sender { recipients, .. }) => (354, Model::Nothing, recipients),
        (_, Model::Sender { bad: true, .. }) => (553, state, 0),
        ("RCPT TO:<a@there.example>", _) => (553, state, 0),
        (_, Model::Sender { bad, recipients }) => (250, Model::Sender { bad, recipients: recipients + 1 }, 0),
    }
}

/// Sequences of commands that the session and the model are given.
const SEQUENCES: usize = 1_000_000;
/// Most commands in one of them.
const LONGEST_SEQUENCE: usize = 8;

/// P1: after a million random sequences of commands the session and the model still agree.
#[test]
fn p1_the_session_is_the_one_of_the_model() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for part in 0..threads {
            scope.spawn(move || compare_with_model(part, (part..SEQUENCES).step_by(threads).count()));
        }
    });
}

fn compare_with_model(seed: usize, sequences: usize) {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(seed as u64).to_le_bytes());
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let commands = LINES.map(|line| Command::parse(Line::Complete(line.as_bytes().to_vec())));
    let mut allowed = policy();
    for _ in 0..sequences {
        let mut session = Session::new(allowed);
        let mut state = Model::Nothing;
        let length = 1 + random.next_u32() as usize % LONGEST_SEQUENCE;
        for byte in random.next_u64().to_le_bytes().into_iter().take(length) {
            let choice = usize::from(byte) % LINES.len();
            let (code, after, recipients) = model(state, LINES[choice]);
            let actual = match session.answer(commands[choice].clone()).unwrap() {
                Step::Reply(reply) => (code_of(&reply), 0),
                Step::Message(envelope) => (354, envelope.recipients.len()),
                other => panic!("{other:?}"),
            };
            assert_eq!(actual, (code, recipients), "{} after {state:?}", LINES[choice]);
            state = after;
        }
        // The next session has the same policy: to make one takes longer than a sequence.
        allowed = session.policy;
    }
}

fn code_of(reply: &Reply) -> u16 {
    reply.to_bytes(b"")[..3].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'))
}

proptest::proptest! {
    /// M7: no bytes in the place of arguments stop a session.
    #[test]
    fn m7_any_bytes_can_be_said(
        lines in proptest::collection::vec((0..4_usize, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)), 0..20)
    ) {
        let mut session = Session::new(policy());
        for (verb, rest) in lines {
            let verb: &[u8] = [&b"MAIL FROM:<"[..], b"RCPT TO:<a@[", b"RCPT ", b""][verb];
            let _ = session.answer(Command::parse(Line::Complete([verb, &rest].concat())));
        }
    }
}

/// A check by which only `joe` exists, and nobody knows about `slow`.
fn checked() -> Policy {
    let check = |recipient: &ForwardPath| match recipient.address() {
        b"joe@here.example" => Answer::Accepted,
        b"slow@here.example" => Answer::NotNow,
        _ => Answer::NoSuchAddress,
    };
    Policy { recipient_check: Some(Box::new(check)), ..policy() }
}

/// B6
#[test]
fn b6_a_recipient_who_does_not_exist_is_refused_and_one_who_may_is_put_off() {
    let mut session = Session::new(checked());
    say(&mut session, "MAIL FROM:<s@x>");
    assert_eq!(reply(&mut session, "RCPT TO:<nobody@here.example>"), Reply::NoSuchAddress);
    assert_eq!(reply(&mut session, "RCPT TO:<slow@here.example>"), Reply::CheckNotNow);
    assert_eq!(reply(&mut session, "DATA"), Reply::RcptFirst);
    assert_eq!(reply(&mut session, "RCPT TO:<joe@here.example>"), Reply::Ok);
    // rcpthosts comes first, and a full message is asked about nobody.
    assert_eq!(reply(&mut session, "RCPT TO:<joe@there.example>"), Reply::HostNotAllowed);
    let mut session = Session::new(Policy { max_recipients: 1, ..checked() });
    say(&mut session, "MAIL FROM:<s@x>");
    assert_eq!(reply(&mut session, "RCPT TO:<joe@here.example>"), Reply::Ok);
    assert_eq!(reply(&mut session, "RCPT TO:<nobody@here.example>"), Reply::TooManyRecipients);
}

/// P3, B6
#[test]
fn p3_recipients_who_do_not_exist_count_as_refused() {
    let mut session = Session::new(checked());
    say(&mut session, "MAIL FROM:<s@x>");
    for _ in 0..10 {
        assert_eq!(reply(&mut session, "RCPT TO:<nobody@here.example>"), Reply::NoSuchAddress);
        assert_eq!(session.delay(), Duration::ZERO);
        assert_eq!(reply(&mut session, "RCPT TO:<slow@here.example>"), Reply::CheckNotNow);
    }
    for _ in 0..10 {
        assert_eq!(reply(&mut session, "RCPT TO:<nobody@here.example>"), Reply::NoSuchAddress);
        assert!(session.delay() > Duration::ZERO);
    }
    let enough = say(&mut session, "RCPT TO:<nobody@here.example>");
    assert_eq!(enough, Step::HangUp(Reply::TooManyRefused));
}
