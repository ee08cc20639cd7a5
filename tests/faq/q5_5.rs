//! 5.5: messages of broken clients are completed. RELAYCLIENT is put behind their recipients, so that they go to a
//! virtual domain, whose instructions let qmail-inject write what is missing and send the message on. Nobody else can use
//! that domain.

use crate::site::{Site, heard};
use harness::{HOST, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;

/// The two lines of the answer.
const FIXUP: &str = "| bouncesaying 'Permission denied' [ \"@$HOST\" != \"@fixme\" ]\n\
    | qmail-inject -f \"$SENDER\" -- \"$DEFAULT\"\n";

#[test]
fn messages_of_broken_clients_are_completed() {
    let Some(site) = Site::new() else { return };
    let far = site.routes("far.example", 1);
    site.write("/var/qmail/alias/.qmail-fixup-default", FIXUP);
    site.boots();
    site.write("/var/qmail/control/virtualdomains", "fixme:fixup\n");
    site.gives_a_hup();
    site.write(
        "/etc/tcp.smtp",
        "127.0.0.1:allow,RELAYCLIENT=\"@fixme\"\n127.0.0.7:allow,RELAYCLIENT=\"@fixme\"\n",
    );
    site.types("tcprules /etc/tcp.smtp.cdb /etc/tcp.smtp.tmp < /etc/tcp.smtp");
    let port = site.serves_smtp("-x /etc/tcp.smtp.cdb -RHl0");

    // A client that leaves out every field.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let session = "HELO c\r\nMAIL FROM:<s@src.example>\r\nRCPT TO:<joe@far.example>\r\nDATA\r\n\r\nnaked\r\n.\r\nQUIT\r\n";
    stream.write_all(session.as_bytes()).expect("a session");
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("replies");
    assert!(replies.contains("\n250 ok 1"), "{replies}");
    let session = heard(&far);
    for line in ["MAIL FROM:<s@src.example>", "RCPT TO:<joe@far.example>"] {
        assert!(session.contains(&format!("{line}\r\n")), "{line} in {session}");
    }
    for field in ["Date: ", "Message-ID: <", "From: "] {
        assert!(session.contains(&format!("\r\n{field}")), "{field} in {session}");
    }
    assert!(session.contains("\r\n\r\nnaked\r\n"), "{session}");

    // An address of this host leads nowhere.
    site.sends(&format!("postmaster@{HOST}"), &format!("fixup-joe=x@{HOST}"), "trick");
    site.wait_for_text("/var/log/qmail", ": failure: Permission_denied/");
    wait_until("the bounce is delivered", || site.queue_is_empty());
}
