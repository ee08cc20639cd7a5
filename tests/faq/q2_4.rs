//! 2.4: serialmail keeps a queue of its own for a SLIP or PPP link. An alias collects the mail for the hosts at the other end in a
//! maildir, as serialmail's instructions have it; when the link is up, maildirsmtp sends all of it, and setlock keeps a second
//! one away.

use crate::site::Site;
use harness::{MailHome, skipped, wait_until};
use std::net::{TcpListener, TcpStream};

/// An address where port 25 is free, as a rule.
const OTHER_END: &str = "127.24.0.1";

#[test]
fn mail_for_the_other_end_waits_until_the_link_is_up() {
    let Some(site) = Site::new() else { return };
    if TcpListener::bind((OTHER_END, 25)).is_err() {
        return skipped("somebody else listens on port 25");
    }
    site.types("echo ppp.af.mil:alias-ppp >> /var/qmail/control/virtualdomains");
    site.types(
        "cd /var/qmail/alias && setuidgid alias maildirmake pppdir && echo ./pppdir/ > .qmail-ppp-default",
    );
    site.boots();
    site.sends("s@src.example", "joe@ppp.af.mil", "first");
    site.sends("s@src.example", "bob@ppp.af.mil", "second");
    site.delivers_all();
    let waiting = || {
        let text = site.types("ls /var/qmail/alias/pppdir/new");
        text.lines().count()
    };
    assert_eq!(waiting(), 2);
    // A message of the same second waits for the next time.
    std::thread::sleep(std::time::Duration::from_millis(1100));

    // The link is down: nothing is lost, and nothing bounces.
    let dial = format!(
        "cd /var/qmail/alias && setuidgid alias setlock -nX pppdir/seriallock \
         maildirsmtp pppdir alias-ppp- {OTHER_END} mail.example.org"
    );
    let (code, output) = site.tries(&dial);
    assert_eq!((code, waiting()), (111, 2), "{output}");

    // The link is up.
    let far = MailHome::new([("me", &b"ppp.af.mil\n"[..]), ("rcpthosts", b"ppp.af.mil\n")]);
    let queue = far.fake_queue();
    site.types(&format!(
        "QMAILQUEUE={} tcpserver -RHl0 {OTHER_END} 25 {} >/dev/null 2>&1 &",
        queue.program.display(),
        far.program("qmail-smtpd").display()
    ));
    wait_until("the other end listens", || TcpStream::connect((OTHER_END, 25)).is_ok());
    let output = site.types(&dial);
    assert_eq!(output.matches(&format!(" succeeded: {OTHER_END} said: 250 ok ")).count(), 2, "{output}");
    assert_eq!(waiting(), 0);
    let mut envelopes = queue.envelopes();
    envelopes.sort();
    let expected: [&[u8]; 2] =
        [b"Fs@src.example\0Tbob@ppp.af.mil\0\0", b"Fs@src.example\0Tjoe@ppp.af.mil\0\0"];
    assert_eq!(envelopes, expected);
    assert!(queue.messages().iter().any(|text| text.windows(16).any(|part| part == b"\nSubject: first\n")));
    // Nobody was told of anything.
    assert_eq!(site.postmasters_mailbox(), "");
}
