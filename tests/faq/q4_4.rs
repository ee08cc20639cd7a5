//! 4.4: procmail gets the message with the lines of a mailbox before it, and delivers it as its own settings say.

use crate::site::Site;
use harness::HOST;

#[test]
fn procmail_delivers() {
    let Some(site) = Site::new() else { return };
    if harness::installed("procmail").is_none() {
        return harness::skipped("procmail is not installed");
    }
    let user = site.user("suite-q4-4");
    user.write(".qmail", "| preline procmail\n");
    user.write(".procmailrc", "DEFAULT=$HOME/Mailbox\n:0:\n* ^Subject: sort\n$HOME/Sorted\n");
    site.boots();
    for subject in ["sort me", "keep me"] {
        site.sends("s@src.example", &format!("suite-q4-4@{HOST}"), subject);
    }
    site.delivers_all();
    for (file, subject) in [("Sorted", "sort me"), ("Mailbox", "keep me")] {
        let text = std::fs::read_to_string(user.home.join(file)).expect(file);
        assert!(text.starts_with("From s@src.example "), "{text}");
        assert_eq!(text.matches("\nFrom ").count(), 0, "{text}");
        for line in [
            "Return-Path: <s@src.example>".to_owned(),
            format!("Delivered-To: suite-q4-4@{HOST}"),
            format!("Subject: {subject}"),
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
        }
    }
}
