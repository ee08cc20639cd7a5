//! 4.5: a filter program gets the message as procmail does. elm's filter is gone; maildrop stands for it, whose rules the user
//! has in `~/.mailfilter`.

use crate::site::Site;
use harness::{HOST, messages};

/// What a filter is for: some mail goes elsewhere, the rest into the mailbox.
const RULES: &str = "if (/^Subject: lists:/)\n{\n  to Lists\n}\nto Mailbox\n";

#[test]
fn a_filter_program_sorts_mail() {
    let Some(site) = Site::new() else { return };
    let Some(maildrop) = harness::installed("maildrop") else {
        return harness::skipped("maildrop is not installed");
    };
    let user = site.user("suite-q4-5");
    user.write(".qmail", format!("| preline {}\n", maildrop.display()));
    user.write(".mailfilter", RULES);
    // The program refuses rules that others may read.
    site.types(&format!("chmod 600 {}", user.home.join(".mailfilter").display()));
    let maildir = user.home.join("Lists");
    assert_eq!(user.call(&site.path("/var/qmail/bin/maildirmake")).arg(&maildir).run().code, 0);
    site.boots();
    for subject in ["lists: sort me", "keep me"] {
        site.sends("s@src.example", &format!("suite-q4-5@{HOST}"), subject);
    }
    site.delivers_all();

    let kept = std::fs::read_to_string(user.home.join("Mailbox")).expect("the mailbox");
    assert!(kept.starts_with("From s@src.example "), "{kept}");
    let sorted = messages(&maildir);
    assert_eq!(sorted.len(), 1);
    for (text, subject) in [(&kept, "keep me"), (&sorted[0], "lists: sort me")] {
        for line in [
            "Return-Path: <s@src.example>".to_owned(),
            format!("Delivered-To: suite-q4-5@{HOST}"),
            format!("Subject: {subject}"),
        ] {
            assert_eq!(format!("\n{text}").matches(&format!("\n{line}\n")).count(), 1, "{line} in {text}");
        }
    }

    // A filter that fails for the moment defers the message, and one that refuses bounces it: its exit status counts.
    user.write(".mailfilter", "echo \"not now\"\nEXITCODE=75\nexit\n");
    site.types(&format!("chmod 600 {}", user.home.join(".mailfilter").display()));
    site.sends("s@src.example", &format!("suite-q4-5@{HOST}"), "later");
    site.wait_for_text("/var/log/qmail", "deferral: not_now/");
}
