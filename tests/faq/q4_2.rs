//! 4.2: a mailing list is a file of addresses; with an owner file beside it bounces go to the owner, and with an
//! owner-default file each copy has a sender of its own, which says whose copy it was. Where the answer points to ezmlm, mlmmj
//! is what Debian has: a list whose subscribers come and go by mail.

use crate::site::{Site, heard};
use harness::{HOST, settles};

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

/// VERP: what comes back names the member.
#[test]
fn each_copy_has_a_sender_of_its_own() {
    let Some(site) = Site::new() else { return };
    let far = site.routes("far.example", 2);
    let me = site.user("suite-q4-2v");
    me.write(".qmail-sos", "a@far.example\nb@far.example\n");
    me.write(".qmail-sos-owner", "");
    me.write(".qmail-sos-owner-default", "./returned\n");
    site.boots();
    site.sends("s@src.example", &format!("suite-q4-2v-sos@{HOST}"), "news");
    site.delivers_all();
    let sessions = heard(&far) + &heard(&far);
    for member in ["a", "b"] {
        let copy = format!(
            "MAIL FROM:<suite-q4-2v-sos-owner-{member}=far.example@{HOST}>\r\nRCPT TO:<{member}@far.example>\r\n"
        );
        assert!(sessions.contains(&copy), "{copy} in {sessions}");
    }
    site.sends("", &format!("suite-q4-2v-sos-owner-b=far.example@{HOST}"), "bounced");
    site.delivers_all();
    let returned = std::fs::read_to_string(me.home.join("returned")).expect("what came back");
    assert!(returned.contains(&format!("\nDelivered-To: suite-q4-2v-sos-owner-b=far.example@{HOST}\n")));
}

/// A reader subscribes by mail, confirms that, gets a message, and leaves in the same way.
#[test]
fn mlmmj_manages_a_list() {
    let Some(site) = Site::new() else { return };
    let Some(make) = harness::installed("mlmmj-make-ml") else {
        return harness::skipped("mlmmj is not installed");
    };
    let me = site.user("suite-q4-2m");
    let list = format!("suite-q4-2m-sos@{HOST}");
    // As its own instructions for qmail have it; it sends by SMTP, to a server that lets it.
    site.write("/etc/tcp.smtp", "127.0.0.1:allow,RELAYCLIENT=\"\"\n");
    site.types("tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp");
    let port = site.serves_smtp("-HRl0 -x /etc/tcp.smtp.cdb");
    let lists = me.home.join("lists");
    let outcome = me
        .call(&make)
        .args(["-L", "suite-q4-2m-sos", "-s"])
        .arg(&lists)
        .input(format!("{HOST}\npostmaster@{HOST}\n\n"))
        .run();
    assert_eq!(outcome.code, 0, "{}", outcome.err_text());
    let directory = lists.join("suite-q4-2m-sos");
    for (name, value) in [("delimiter", "-"), ("smtpport", &port.to_string()), ("smtphelo", HOST)] {
        me.write(&format!("lists/suite-q4-2m-sos/control/{name}"), format!("{value}\n"));
    }
    let line = format!("|/usr/bin/mlmmj-receive -F -L {}\n", directory.display());
    me.write(".qmail-sos", &line);
    me.write(".qmail-sos-default", &line);
    let reader = site.user("suite-q4-2r");
    reader.write(".qmail", "./Mailbox\n");
    site.boots();

    let address = format!("suite-q4-2r@{HOST}");
    let mailbox = || std::fs::read_to_string(reader.home.join("Mailbox")).unwrap_or_default();
    let sends = |recipient: &str, subject: &str| {
        let inject = reader.call(&site.path("/var/qmail/bin/qmail-inject"));
        let message = format!("From: {address}\nTo: {recipient}\nSubject: {subject}\n\nx\n");
        let outcome = inject.input(message).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    };
    let to = |word: &str| list.replace('@', &format!("-{word}@"));
    sends(&to("subscribe"), "");
    let confirms = |word: &str| {
        let address = || {
            let text = mailbox();
            let start = text.find(&format!("suite-q4-2m-sos-{word}-"))?;
            text[start..].split(['\n', '>', ' ']).next().map(str::to_owned)
        };
        assert!(settles(|| address().is_some()), "{}{}", mailbox(), site.read("/var/log/qmail"));
        sends(&address().expect("an address to confirm to"), "");
    };
    confirms("confsub");
    let subscribers = directory.join("subscribers.d/s");
    let is_subscribed = || std::fs::read_to_string(&subscribers).is_ok_and(|text| text.contains(&address));
    assert!(settles(is_subscribed), "{}", site.read("/var/log/qmail"));

    sends(&list, "news");
    // The sender of the copy names its number and its reader.
    let copy = format!("\nReturn-Path: <suite-q4-2m-sos-bounces-1-suite-q4-2r=mail.example.org@{HOST}>\n");
    assert!(settles(|| mailbox().contains(&copy)), "{}{}", mailbox(), site.read("/var/log/qmail"));
    assert!(mailbox().contains("\nSubject: news\n"));

    sends(&to("unsubscribe"), "");
    confirms("confunsub");
    assert!(settles(|| !is_subscribed()), "{}", site.read("/var/log/qmail"));
}
