//! 1.2: MAILUSER and MAILHOST are the address that a user's messages come from; with the letter f in QMAILINJECT also if
//! the mail program wrote another one.

use crate::site::Site;

#[test]
fn the_environment_says_who_a_message_is_from() {
    let Some(site) = Site::new() else { return };
    let god = site.user("suite-q1-2");
    let from = |header: &str, letters: &str| {
        let call = god.call(&site.path("/var/qmail/bin/qmail-inject")).arg("-n");
        let call = call.env("MAILHOST", "af.mil").env("MAILUSER", "boss").env("QMAILINJECT", letters);
        let message = call.input(format!("{header}To: joe@dst.example\n\n")).run().out_text();
        let lines: Vec<String> =
            message.lines().filter_map(|line| line.strip_prefix("From: ")).map(str::to_owned).collect();
        lines
    };
    assert_eq!(from("", ""), ["boss@af.mil"]);
    assert_eq!(from("From: god@heaven.af.mil\n", ""), ["god@heaven.af.mil"]);
    assert_eq!(from("From: god@heaven.af.mil\n", "f"), ["boss@af.mil"]);
}
