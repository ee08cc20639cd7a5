use super::*;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

fn replies(bytes: &[u8]) -> Result<Vec<Reply>, Violation> {
    let mut reader = ReplyReader::default();
    let mut found = Vec::new();
    for byte in bytes {
        found.extend(reader.feed(*byte)?);
    }
    Ok(found)
}

fn reply(text: &str) -> Reply {
    replies(format!("{text}\r\n").as_bytes()).unwrap().remove(0)
}

fn step(session: &mut Session, text: &str) -> Step {
    session.take_reply(&reply(text))
}

fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

fn greeted(ehlo: &str) -> Session {
    let mut session = Session::new(b"me.example");
    assert_eq!(step(&mut session, "220 hi"), send("EHLO me.example\r\n"));
    assert_eq!(step(&mut session, ehlo), Step::Ready);
    session
}

fn begun(session: &mut Session) -> String {
    let envelope = Envelope { sender: b"s@x".to_vec(), recipient: b"a b@y".to_vec() };
    String::from_utf8(session.begin(&envelope)).unwrap()
}

const MAIL: &str = "MAIL FROM:<s@x>\r\n";
const RCPT: &str = "RCPT TO:<\"a b\"@y>\r\n";

#[test]
fn the_last_line_of_a_reply_counts() {
    let found = replies(b"250-one\r\n250-x\n250 two\r\n550\r\n").unwrap();
    let lines: Vec<(u32, &[u8])> =
        found.iter().map(|reply| (reply.code, reply.last_line.as_slice())).collect();
    assert_eq!(lines, [(250, &b"250 two"[..]), (550, b"550")]);
    for wrong in ["x\n", "\r\n", "25\n", "2 50 x\n", "250-a\r\nb\r\n"] {
        assert_eq!(replies(wrong.as_bytes()), Err(Violation), "{wrong:?}");
    }
}

#[test]
fn pipelining_is_a_line_of_its_own_after_the_first() {
    for (text, expected) in [
        ("250-me\r\n250-SIZE 1\r\n250 PIPELINING", true),
        ("250-me\r\n250-pipelining\r\n250 x", true),
        ("250 PIPELINING", false),
        ("250-PIPELINING\r\n250 x", false),
        ("250-me\r\n250 PIPELINING 1", false),
        ("250-me\r\n250 XPIPELINING", false),
    ] {
        assert_eq!(reply(text).has_pipelining, expected, "{text}");
    }
}

#[test]
fn m1_a_reply_without_end_is_no_reply() {
    let mut reader = ReplyReader::default();
    let bytes = b"250-x\n".iter().cycle().take(LONGEST_REPLY + 10);
    assert!(bytes.copied().any(|byte| reader.feed(byte).is_err()));
}

#[test]
fn a_host_that_does_not_want_us_is_given_up() {
    assert_eq!(step(&mut Session::new(b"h"), "554 no"), Step::GiveUp(Trouble::Greeting));
    assert_eq!(step(&mut Session::new(b"h"), "250 odd"), Step::GiveUp(Trouble::Greeting));
    let mut session = Session::new(b"h");
    step(&mut session, "220 hi");
    assert_eq!(step(&mut session, "502 what"), send("HELO h\r\n"));
    assert_eq!(step(&mut session, "550 who"), Step::GiveUp(Trouble::Name));
}

#[test]
fn without_pipelining_each_command_waits_for_its_reply() {
    let mut session = greeted("250 me");
    assert_eq!(begun(&mut session), MAIL);
    assert_eq!(step(&mut session, "250 ok"), send(RCPT));
    assert_eq!(step(&mut session, "250 ok"), send("DATA\r\n"));
    assert_eq!(step(&mut session, "354 go"), Step::SendMessage);
    assert_eq!(step(&mut session, "250 ok"), Step::Report(Status::Accepted, Then::Ready));
    assert_eq!(begun(&mut session), "RSET\r\n");
    assert_eq!(step(&mut session, "250 ok"), send(MAIL));
    assert_eq!(step(&mut session, "451 later"), Step::Report(Status::PutOff, Then::Ready));
    assert_eq!(begun(&mut session), "RSET\r\n");
    assert_eq!(step(&mut session, "500 what"), Step::GiveUp(Trouble::Violation));
}

#[test]
fn with_pipelining_all_commands_go_together() {
    let mut session = greeted("250-me\r\n250 PIPELINING");
    assert_eq!(begun(&mut session), format!("{MAIL}{RCPT}DATA\r\n"));
    assert_eq!(step(&mut session, "250 ok"), Step::Wait);
    assert_eq!(step(&mut session, "250 ok"), Step::Wait);
    assert_eq!(step(&mut session, "354 go"), Step::SendMessage);
    assert_eq!(step(&mut session, "554 no"), Step::Report(Status::Refused, Then::Ready));
    assert_eq!(begun(&mut session), format!("RSET\r\n{MAIL}{RCPT}DATA\r\n"));
    assert_eq!(step(&mut session, "250 ok"), Step::Wait);
    assert_eq!(step(&mut session, "250 ok"), Step::Wait);
    assert_eq!(step(&mut session, "450 later"), Step::Report(Status::PutOff, Then::Wait));
    assert_eq!(step(&mut session, "503 no recipients"), Step::Ready);
}

/// A host that takes DATA after it has refused the recipient waits for a message that nobody will send.
#[test]
fn a_command_that_is_taken_after_a_refusal_is_a_violation() {
    for rest in [&["250 ok"][..], &["503 no", "354 go"]] {
        let mut session = greeted("250-me\r\n250 PIPELINING");
        begun(&mut session);
        assert_eq!(step(&mut session, "550 no"), Step::Report(Status::Refused, Then::Wait));
        let last = rest.iter().map(|text| step(&mut session, text)).last();
        assert_eq!(last, Some(Step::GiveUp(Trouble::Violation)));
    }
}

#[test]
fn an_empty_sender_stays_empty() {
    let mut session = greeted("250 me");
    let begun = session.begin(&Envelope { sender: Vec::new(), recipient: b"joe@y".to_vec() });
    assert_eq!(begun, b"MAIL FROM:<>\r\n");
}

proptest! {
    /// Whatever a host replies: a message is sent only after three good replies in a row, and is reported at most once.
    #[test]
    fn each_message_is_reported_at_most_once(codes in proptest::collection::vec(200_u32..600, 0..40),
        has_pipelining in any::<bool>()) {
        let mut session = greeted(if has_pipelining { "250-me\r\n250 PIPELINING" } else { "250 me" });
        begun(&mut session);
        let (mut reports, mut good) = (0, 0);
        for code in codes {
            good = if code < 400 { good + 1 } else { 0 };
            match step(&mut session, &format!("{code} x")) {
                Step::SendMessage => prop_assert!(good >= 3 && reports == 0),
                Step::Report(status, then) => {
                    reports += 1;
                    prop_assert_eq!(status == Status::Accepted, code < 400);
                    prop_assert_eq!(reports, 1);
                    if then == Then::Ready {
                        begun(&mut session);
                        (reports, good) = (0, 0);
                    }
                }
                Step::Ready => {
                    begun(&mut session);
                    (reports, good) = (0, 0);
                }
                Step::GiveUp(trouble) => {
                    prop_assert_eq!(trouble, Trouble::Violation);
                    break;
                }
                Step::Wait => {}
                Step::Send(_) => prop_assert!(!has_pipelining),
            }
        }
    }

    /// M7: any bytes, cut anywhere (they are taken one by one): replies, or a violation, and no panic.
    #[test]
    fn m7_any_bytes_are_replies_or_a_violation(bytes in any::<Vec<u8>>()) {
        if let Ok(found) = replies(&bytes) {
            for reply in found {
                prop_assert!(reply.code < 1000 && reply.last_line.len() <= KEPT);
            }
        }
    }
}
