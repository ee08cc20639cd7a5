//! 4.2: a mailing list is a file of addresses; with an owner file beside it bounces go to the owner.

use crate::site::{Site, heard};
use harness::HOST;

#[test]
fn a_file_of_addresses_is_a_mailing_list() {
    let Some(site) = Site::new() else { return };
    let far = site.routes("far.example", 2);
    let me = site.user("suite-q4-2");
    me.write(".qmail-sos", "a@far.example\nb@far.example\n");
    me.write(".qmail-sos-owner", "");
    site.boots();
    site.sends("s@src.example", &format!("suite-q4-2-sos@{HOST}"), "news");
    site.delivers_all();
    let sessions = [heard(&far), heard(&far)];
    for (member, other) in [("a", "b"), ("b", "a")] {
        let to = |name: &str| format!("RCPT TO:<{name}@far.example>\r\n");
        let session = sessions.iter().find(|session| session.contains(&to(member))).expect("a copy for each");
        assert!(!session.contains(&to(other)), "{session}");
        assert!(session.contains(&format!("MAIL FROM:<suite-q4-2-sos-owner@{HOST}>\r\n")), "{session}");
        assert!(session.contains("\r\nSubject: news\r\n"), "{session}");
    }
    // What bounces comes back to the owner, whose file is empty: he gets it as all his mail.
    site.sends("", &format!("suite-q4-2-sos-owner@{HOST}"), "bounced");
    site.delivers_all();
    let mailbox = std::fs::read_to_string(me.home.join("Mailbox")).expect("the owner's mailbox");
    assert!(mailbox.contains("\nSubject: bounced\n"));
}
