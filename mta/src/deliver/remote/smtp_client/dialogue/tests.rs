use super::*;
use proptest::prelude::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

fn envelope(recipients: &[&str]) -> Envelope {
    let recipients: Vec<Vec<u8>> = recipients.iter().map(|text| text.as_bytes().to_vec()).collect();
    Envelope::new(b"s@src.example", &recipients).unwrap()
}

fn dialogue(envelope: &Envelope) -> Dialogue<'_> {
    let measure = Some(Measure { size: 1234, has_8bit: true });
    Dialogue::new(PEER, b"me.example", envelope, measure, Hello::AsAnnounced)
}

/// What is done after each reply, as text.
fn told(dialogue: &mut Dialogue<'_>, replies: &[&str]) -> Vec<String> {
    replies.iter().map(|reply| said(&dialogue.take(&Reply::of(format!("{reply}\r\n").as_bytes())))).collect()
}

fn said(next: &Next) -> String {
    let record = |report: &MessageReport| String::from_utf8_lossy(&report.to_record()).replace('\0', "");
    match next {
        Next::Send(bytes) => String::from_utf8(bytes.clone()).unwrap().replace("\r\n", "|"),
        Next::Read => "read".into(),
        Next::SendMessage => "message".into(),
        Next::Finish(report) => format!("finish {}", record(report).trim_end()),
        Next::BreakOff(report) => format!("break off {}", record(report).trim_end()),
    }
}

fn letters(dialogue: &Dialogue<'_>) -> String {
    dialogue.recipients().iter().map(|report| char::from(report.to_record()[0])).collect()
}

#[test]
fn a_server_that_announces_nothing_gets_one_plain_command_at_a_time() {
    let envelope = envelope(&["a@x.example", "b@x.example"]);
    let mut dialogue = dialogue(&envelope);
    let told =
        told(&mut dialogue, &["220 hi", "250 hello", "250 ok", "250 ok", "250 ok", "354 go", "250 done"]);
    let expected = [
        "HELO me.example|",
        "MAIL FROM:<s@src.example>|",
        "RCPT TO:<a@x.example>|",
        "RCPT TO:<b@x.example>|",
        "DATA|",
        "message",
        "finish K192.0.2.1 accepted message.\nRemote host said: 250 done",
    ];
    assert_eq!(told, expected);
    assert_eq!(letters(&dialogue), "rr");
}

#[test]
fn a_server_that_says_esmtp_is_told_what_it_wants_to_know() {
    let envelope = envelope(&["a@x.example"]);
    let extended = ["220 x ESMTP", "250-x\r\n250-SIZE 5000000\r\n250 8BITMIME"];
    let told_all = told(&mut dialogue(&envelope), &extended);
    assert_eq!(told_all, ["EHLO me.example|", "MAIL FROM:<s@src.example> SIZE=1234 BODY=8BITMIME|"]);
    let mut unmeasured = Dialogue::new(PEER, b"me.example", &envelope, None, Hello::AsAnnounced);
    assert_eq!(told(&mut unmeasured, &extended)[1], "MAIL FROM:<s@src.example>|");
}

#[test]
fn a_server_that_refuses_ehlo_gets_helo_and_one_that_is_busy_is_left_alone() {
    let envelope = envelope(&["a@x.example"]);
    for refusal in ["500 what?", "502 no", "550 no"] {
        let told = told(&mut dialogue(&envelope), &["220 ESMTP", refusal, "250 ok"]);
        assert_eq!(told[1..], ["HELO me.example|", "MAIL FROM:<s@src.example>|"]);
    }
    let busy = told(&mut dialogue(&envelope), &["220 ESMTP", "421 later"]);
    assert!(busy[1].starts_with("finish ZConnected to 192.0.2.1 but my name was rejected.\n"));
    let helo = told(&mut dialogue(&envelope), &["220 ESMTP", "500 no", "550 no"]);
    assert!(helo[2].starts_with("finish ZConnected to 192.0.2.1 but my name was rejected.\n"));
}

#[test]
fn a_server_that_broke_off_at_ehlo_gets_helo_the_next_time() {
    let envelope = envelope(&["a@x.example"]);
    let mut first = dialogue(&envelope);
    told(&mut first, &["220 ESMTP"]);
    assert!(first.awaits_ehlo());
    let mut second = Dialogue::new(PEER, b"me.example", &envelope, None, Hello::Plain);
    assert_eq!(told(&mut second, &["220 ESMTP"]), ["HELO me.example|"]);
    assert!(!second.awaits_ehlo());
}

#[test]
fn commands_are_sent_together_only_to_a_server_that_announces_pipelining() {
    let envelope = envelope(&["a@x.example", "b@x.example"]);
    let mut dialogue = dialogue(&envelope);
    let replies =
        ["220 ESMTP", "250-x\r\n250 PIPELINING", "250 ok", "550 no", "250 ok", "354 go", "250 done"];
    let told = told(&mut dialogue, &replies);
    assert_eq!(told[1], "MAIL FROM:<s@src.example>|RCPT TO:<a@x.example>|RCPT TO:<b@x.example>|DATA|");
    assert_eq!(told[2..6], ["read", "read", "read", "message"]);
    assert!(told[6].starts_with("finish K"));
    assert_eq!(letters(&dialogue), "hr");
}

#[test]
fn very_many_recipients_are_sent_one_by_one() {
    let many: Vec<String> = (0..200).map(|number| format!("recipient-{number}@x.example")).collect();
    let envelope = envelope(&many.iter().map(String::as_str).collect::<Vec<_>>());
    let told = told(&mut dialogue(&envelope), &["220 ESMTP", "250-x\r\n250 PIPELINING", "250 ok"]);
    assert_eq!(told[1..], ["MAIL FROM:<s@src.example>|", "RCPT TO:<recipient-0@x.example>|"]);
}

#[test]
fn a_refusal_among_pipelined_commands_waits_for_the_other_answers() {
    let envelope = envelope(&["a@x.example"]);
    let pipelined = |replies: &[&str]| {
        let mut dialogue = dialogue(&envelope);
        told(&mut dialogue, &["220 ESMTP", "250-x\r\n250 PIPELINING"]);
        let told = told(&mut dialogue, replies);
        (told, letters(&dialogue))
    };
    let (told, recipients) = pipelined(&["550 you", "503 first", "503 first"]);
    assert_eq!(told[..2], ["read", "read"]);
    assert!(
        told[2].starts_with(
            "finish DConnected to 192.0.2.1 but sender was rejected.\nRemote host said: 550 you"
        )
    );
    assert_eq!(recipients, "");
    let (told, recipients) = pipelined(&["250 ok", "450 later", "503 none"]);
    assert_eq!(told[2], "finish DGiving up on 192.0.2.1.");
    assert_eq!(recipients, "s");
}

#[test]
fn a_server_that_wants_a_message_for_nobody_gets_none() {
    let envelope = envelope(&["a@x.example"]);
    for answers in [["550 you", "250 ok", "354 go"], ["250 ok", "550 no", "354 go"]] {
        let mut dialogue = dialogue(&envelope);
        told(&mut dialogue, &["220 ESMTP", "250-x\r\n250 PIPELINING"]);
        assert!(told(&mut dialogue, &answers)[2].starts_with("break off D"));
    }
}

#[test]
fn a_decision_stands_though_the_connection_breaks_after_it() {
    let envelope = envelope(&["a@x.example"]);
    let mut dialogue = dialogue(&envelope);
    told(&mut dialogue, &["220 ESMTP", "250-x\r\n250 PIPELINING", "550 you"]);
    assert!(matches!(dialogue.broken(), MessageReport::Refused { stage: Stage::Sender, .. }));
}

#[test]
fn a_refusal_is_temporary_or_permanent_by_its_first_digit() {
    let envelope = envelope(&["a@x.example"]);
    let last = |replies: &[&str]| told(&mut dialogue(&envelope), replies).pop().unwrap();
    let text = "Connected to 192.0.2.1 but";
    assert_eq!(last(&["554 x"]), format!("finish Z{text} greeting failed.\nRemote host said: 554 x"));
    assert_eq!(last(&["250 x"]), format!("finish Z{text} greeting failed.\nRemote host said: 250 x"));
    assert_eq!(
        last(&["220 x", "550 x"]),
        format!("finish Z{text} my name was rejected.\nRemote host said: 550 x")
    );
    let sender = |reply| last(&["220 x", "250 x", reply]);
    assert_eq!(sender("450 x"), format!("finish Z{text} sender was rejected.\nRemote host said: 450 x"));
    assert_eq!(sender("550 x"), format!("finish D{text} sender was rejected.\nRemote host said: 550 x"));
    let data = |reply| last(&["220 x", "250 x", "250 x", "250 x", reply]);
    assert_eq!(data("451 x"), "finish Z192.0.2.1 failed on DATA command.\nRemote host said: 451 x");
    assert_eq!(data("554 x"), "finish D192.0.2.1 failed on DATA command.\nRemote host said: 554 x");
    let end = |reply| last(&["220 x", "250 x", "250 x", "250 x", "354 x", reply]);
    assert_eq!(end("451 x"), "finish Z192.0.2.1 failed after I sent the message.\nRemote host said: 451 x");
    assert_eq!(end("554 x"), "finish D192.0.2.1 failed after I sent the message.\nRemote host said: 554 x");
}

#[test]
fn recipients_that_were_all_deferred_end_in_giving_up_and_their_own_records() {
    let envelope = envelope(&["a@x.example", "b@x.example"]);
    let mut dialogue = dialogue(&envelope);
    let told = told(&mut dialogue, &["220 x", "250 x", "250 x", "450 x", "451 x"]);
    assert_eq!(told[4], "finish DGiving up on 192.0.2.1.");
    assert_eq!(letters(&dialogue), "ss");
}

#[test]
fn what_is_no_reply_is_a_reason_to_try_again() {
    let envelope = envelope(&["a@x.example"]);
    let good = ["220 x", "250 x", "250 x", "250 x", "354 x"];
    for at in [0, 1, 2, 4] {
        let mut replies = good;
        replies[at] = "abc";
        assert!(told(&mut dialogue(&envelope), &replies[..=at])[at].starts_with("finish Z"), "reply {at}");
    }
    let mut dialogue = dialogue(&envelope);
    told(&mut dialogue, &["220 x", "250 x", "250 x", "abc"]);
    assert_eq!(letters(&dialogue), "s");
}

#[test]
fn a_line_without_a_code_after_a_refusal_belongs_to_it() {
    let envelope = envelope(&["a@x.example", "b@x.example"]);
    let mut dialogue = dialogue(&envelope);
    let told = told(&mut dialogue, &["220 x", "250 x", "250 x", "550 no such", "user"]);
    assert_eq!(told[4], "finish DGiving up on 192.0.2.1.");
    assert_eq!(letters(&dialogue), "hh");
}

#[test]
fn nothing_is_sent_to_a_server_whose_replies_may_belong_to_other_commands() {
    let envelope = envelope(&["a@x.example", "b@x.example", "c@x.example"]);
    let replies = ["220 x", "250 x", "250 x", "550 no such", "user", "250 ok"];
    let told = told(&mut dialogue(&envelope), &replies);
    assert_eq!(told[5], "finish ZConnected to 192.0.2.1 but its replies did not make sense. (#4.5.0)");
}

#[test]
fn only_a_server_that_was_given_the_end_can_have_the_message() {
    let envelope = envelope(&["a@x.example"]);
    let mut dialogue = dialogue(&envelope);
    told(&mut dialogue, &["220 x", "250 x", "250 x", "250 x", "354 x"]);
    assert_eq!(dialogue.broken(), MessageReport::Died { peer: PEER, possible_duplicate: false });
    dialogue.end_goes_out();
    assert_eq!(dialogue.broken(), MessageReport::Died { peer: PEER, possible_duplicate: true });
}

proptest! {
    /// Whatever a server answers, the dialogue ends, and K needs an accepted recipient and a sent message.
    #[test]
    fn m7_no_sequence_of_replies_confuses_the_dialogue(
        codes in prop::collection::vec(prop_oneof![
            Just("220 ESMTP"), Just("250-x\r\n250 PIPELINING"), Just("250 ok"), Just("354 go"),
            Just("421 busy"), Just("450 later"), Just("550 no"), Just("what"), Just(""),
        ], 0..12),
    ) {
        let envelope = envelope(&["a@x.example", "b@x.example"]);
        let mut dialogue = dialogue(&envelope);
        let mut was_sent = false;
        for reply in codes {
            match dialogue.take(&Reply::of(format!("{reply}\r\n").as_bytes())) {
                Next::SendMessage => was_sent = true,
                Next::Finish(report) | Next::BreakOff(report) => {
                    let is_accepted = matches!(report, MessageReport::Accepted { .. });
                    prop_assert!(!is_accepted || (was_sent && letters(&dialogue).contains('r')));
                    break;
                }
                Next::Send(_) | Next::Read => {}
            }
        }
    }
}
