//! 5.5: messages of broken clients are completed. RELAYCLIENT is put behind their recipients, so that they go to a
//! virtual domain, whose instructions let qmail-inject write what is missing and send the message on. Nobody else can use
//! that domain.

use crate::site::{Site, heard};
use harness::{HOST, SmtpPeer, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;

/// The two lines of the answer.
const FIXUP: &str = "| bouncesaying 'Permission denied' [ \"@$HOST\" != \"@fixme\" ]\n\
    | qmail-inject -f \"$SENDER\" -- \"$DEFAULT\"\n";

/// A site whose broken clients are put right, and the host that their mail goes to.
fn site() -> Option<(Site, SmtpPeer)> {
    let site = Site::new()?;
    let far = site.routes("far.example", 1);
    site.write("/var/qmail/alias/.qmail-fixup-default", FIXUP);
    site.boots();
    site.write("/var/qmail/control/virtualdomains", "fixme:fixup\n");
    site.gives_a_hup();
    Some((site, far))
}

/// A client that leaves out every field sends a message, which arrives complete.
fn completes(site: &Site, far: &SmtpPeer, port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let session = "HELO c\r\nMAIL FROM:<s@src.example>\r\nRCPT TO:<joe@far.example>\r\nDATA\r\n\r\nnaked\r\n.\r\nQUIT\r\n";
    stream.write_all(session.as_bytes()).expect("a session");
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("replies");
    assert!(replies.contains("\n250 ok 1"), "{replies}");
    let session = heard(far);
    for line in ["MAIL FROM:<s@src.example>", "RCPT TO:<joe@far.example>"] {
        assert!(session.contains(&format!("{line}\r\n")), "{line} in {session}");
    }
    for field in ["Date: ", "Message-ID: <", "From: "] {
        assert!(session.contains(&format!("\r\n{field}")), "{field} in {session}");
    }
    assert!(session.contains("\r\n\r\nnaked\r\n"), "{session}");
    site.delivers_all();
}

#[test]
fn messages_of_clients_in_the_rules_of_tcpserver_are_completed() {
    let Some((site, far)) = site() else { return };
    site.write(
        "/etc/tcp.smtp",
        "127.0.0.1:allow,RELAYCLIENT=\"@fixme\"\n127.0.0.7:allow,RELAYCLIENT=\"@fixme\"\n",
    );
    site.types("tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp");
    let port = site.serves_smtp("-x /etc/tcp.smtp.cdb -RHl0");
    completes(&site, &far, port);

    // An address of this host leads nowhere.
    site.sends(&format!("postmaster@{HOST}"), &format!("fixup-joe=x@{HOST}"), "trick");
    site.wait_for_text("/var/log/qmail", ": failure: Permission_denied/");
    wait_until("the bounce is delivered", || site.queue_is_empty());
}

#[test]
fn messages_of_clients_in_hosts_allow_are_completed() {
    let Some((site, far)) = site() else { return };
    let hosts_allow = "tcp-env: 127.0.0.1, 127.0.0.7: setenv = RELAYCLIENT @fixme\n";
    let Some(port) = site.serves_smtp_by_inetd(hosts_allow) else { return };
    completes(&site, &far, port);
}
