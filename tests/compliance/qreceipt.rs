//! `qreceipt`.

use harness::{Outcome, UserHome};

const ASKED: &str = "Message-ID: <1@x>\nNotice-Requested-Upon-Delivery-To: joe@h,\n  sue@h\nTo: y\n\nbody\n";

fn run(home: &UserHome, sender: Option<&str>, words: &[&str], message: &str) -> Outcome {
    let mut call = home.call("qreceipt", message).args(words);
    match sender {
        Some(sender) => call = call.env("SENDER", sender),
        None => {
            call.command().env_remove("SENDER");
        }
    }
    call.run()
}

#[test]
fn a_sender_who_asks_is_told() {
    let home = UserHome::new();
    let outcome = run(&home, Some("a b@s"), &["sue@h"], ASKED);
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    assert_eq!(
        String::from_utf8(home.queue().messages().concat()).unwrap(),
        "From: DELIVERY NOTICE SYSTEM <\"a b\"@s>\nTo: <\"a b\"@s>\nSubject: success notice\n\n\
         Hi! This is the qreceipt program. Your message was delivered to the\n\
         following address: sue@h. Thanks for asking.\nYour Message-ID: <1@x>\n"
    );
    assert_eq!(home.queue().envelopes(), [b"F\0Ta b@s\0\0"]);
}

#[test]
fn nobody_else_is() {
    let home = UserHome::new();
    for (sender, address, message) in [
        ("", "joe@h", ASKED),
        ("#@[]", "joe@h", ASKED),
        ("s@x", "JOE@h", ASKED),
        ("s@x", "y", ASKED),
        ("s@x", "joe@h", "Subject: x\n\nNotice-Requested-Upon-Delivery-To: joe@h\n"),
        ("s@x", "joe@h", ""),
    ] {
        let outcome = run(&home, Some(sender), &[address], message);
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""), "{sender} {address}");
    }
    assert!(home.queue().messages().is_empty());
}

#[test]
fn a_notice_without_message_id_ends_earlier() {
    let home = UserHome::new();
    let message = "notice-requested-upon-delivery-to : \"j\"@h\n\n";
    assert_eq!(run(&home, Some("s@x"), &["j@h", "ignored"], message).code, 0);
    assert!(home.queue().messages()[0].ends_with(b"following address: j@h. Thanks for asking.\n"));
}

#[test]
fn trouble_has_the_words_of_the_manual() {
    let home = UserHome::new();
    let said = |outcome: Outcome| (outcome.code, outcome.err_text());
    let usage = (100, "qreceipt: usage: qreceipt deliveryaddress\n".to_owned());
    assert_eq!(said(run(&home, Some("s"), &[], ASKED)), usage);
    assert_eq!(said(run(&home, None, &["joe@h"], ASKED)), usage);
    let bad = run(&home, Some("s"), &["joe@h"], "Notice-Requested-Upon-Delivery-To: (\n\n");
    let text = "qreceipt: fatal: unable to parse this: Notice-Requested-Upon-Delivery-To: (\n";
    assert_eq!(said(bad), (100, text.to_owned()));
    for (status, expected) in [("31", (100, "permanent")), ("71", (111, "temporary"))] {
        let call = home.call("qreceipt", ASKED).arg("joe@h").env("SENDER", "s@x");
        let outcome = call.env("FAKEQUEUE_EXIT", status).run();
        let text = format!("qreceipt: fatal: {} qmail-queue error\n", expected.1);
        assert_eq!(said(outcome), (expected.0, text));
    }
}
