//! 2.3: all outgoing mail goes to uux: a virtual domain for everything, and one line that gives uux the message with a From_
//! line that it understands, the sender, and the recipient.

use crate::site::Site;
use harness::HOST;

/// Notes how it is called and what it is given.
const UUX: &str =
    "#!/bin/sh\n{ for word; do printf '<%s>' \"$word\"; done; echo; cat; } >>/var/qmail/alias/uux.got\n";
/// The line of the answer.
const LINE: &str =
    r#"|preline -df /usr/local/bin/uux - -r -gC -a"${SENDER:-MAILER-DAEMON}" gonzo!rmail "($DEFAULT@$HOST)""#;

#[test]
fn outgoing_mail_goes_to_uux() {
    let Some(site) = Site::new() else { return };
    site.write_program("/usr/local/bin/uux", UUX);
    site.write("/var/qmail/control/virtualdomains", "");
    site.write("/var/qmail/alias/.qmail-uucp-default", &format!("{LINE}\n"));
    site.boots();
    site.write("/var/qmail/control/virtualdomains", ":alias-uucp\n");
    site.gives_a_hup();
    site.sends("s@src.example", "Joe.User@far.example", "by uucp");
    site.delivers_all();
    let got = site.read("/var/qmail/alias/uux.got");
    let (call, message) = got.split_once('\n').expect("a call");
    assert_eq!(call, "<-><-r><-gC><-as@src.example><gonzo!rmail><(Joe.User@far.example)>");
    // -d and -f take away the lines Delivered-To and From_; the one with the return path stays.
    assert!(message.starts_with("Return-Path: <s@src.example>\nReceived: "), "{message}");
    assert!(message.contains("\nSubject: by uucp\n"), "{message}");

    // A bounce has no sender.
    site.types("printf 'Subject: b\n\n' | /var/qmail/bin/qmail-inject -f '' joe@far.example");
    site.delivers_all();
    assert!(site.read("/var/qmail/alias/uux.got").contains("<-aMAILER-DAEMON>"));
    // Mail for this host stays here.
    site.sends("s@src.example", &format!("postmaster@{HOST}"), "local");
    site.delivers_all();
    assert!(!site.read("/var/qmail/alias/uux.got").contains("Subject: local"));
}
