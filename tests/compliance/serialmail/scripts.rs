//! `maildirsmtp` and `maildirqmtp`: the whole way from a maildir to another host.

use super::{Maildir, PREFIX, far_home, far_server};
use harness::{Call, FakeQueue, MailHome, Outcome, put_program, source_tree};
use std::fs;

/// An installation with the scripts and what they run.
struct Site {
    home: MailHome,
    queue: FakeQueue,
}

impl Site {
    fn new() -> Site {
        let home = MailHome::new([("me", &b"my.host\n"[..])]);
        for name in ["maildirserial", "serialsmtp", "serialqmtp", "tcpclient"] {
            home.program(name);
        }
        for name in ["maildirsmtp", "maildirqmtp"] {
            let text = fs::read(source_tree().join("mta/scripts").join(name)).expect("a script");
            put_program(&home.path().join("bin").join(name), text);
        }
        let queue = home.fake_queue();
        Site { home, queue }
    }

    /// Calls a script. The tcpclient that it finds in PATH has a port in the place of `usual`: the test's server is not root.
    fn call(&self, script: &str, usual: u16, port: u16, arguments: &[&str]) -> Outcome {
        let path = self.home.path().join("path");
        fs::create_dir_all(&path).expect("a directory for PATH");
        let tcpclient = self.home.program("tcpclient");
        let text = format!(
            "#!/bin/sh\n[ \"$1 $2 $4\" = '-RHl0 -- {usual}' ] || exit 99\nhost=$3\nshift 4\nexec '{}' -RHl0 -- \"$host\" {port} \"$@\"\n",
            tcpclient.display()
        );
        put_program(&path.join("tcpclient"), text);
        let call = self.script(script).args(arguments).env("QMAILQUEUE", &self.queue.program);
        call.env("PATH", format!("{}:/usr/bin:/bin", path.display())).run()
    }

    fn script(&self, name: &str) -> Call {
        Call::path(&self.home.path().join("bin").join(name))
    }
}

fn filled() -> Maildir {
    let maildir = Maildir::new();
    maildir.put("new/a", "s@src.example", "Subject: one\n\n.x\n");
    maildir.put_file(
        "new/b",
        "Return-Path: <t@src.example>\nDelivered-To: alias-ppp-joe@elsewhere.example\nSubject: two\n\n",
    );
    maildir
}

fn path_of(maildir: &Maildir) -> &str {
    maildir.path().to_str().expect("ASCII")
}

/// One message is taken, and one is refused and bounces.
fn serves(script: &str, usual: u16, server: &str, last_arguments: &[&str]) {
    let (site, far, maildir) = (Site::new(), far_home(), filled());
    let (server, far_queue) = far_server(&far, server);
    let arguments = [&[path_of(&maildir), PREFIX, "127.0.0.1"], last_arguments].concat();
    let outcome = site.call(script, usual, server.port(), &arguments);
    let errors = outcome.err_text();
    assert_eq!(outcome.code, 0, "{errors}");
    for part in [
        "maildirserial: info: new/a succeeded: 127.0.0.1 said: ",
        "maildirserial: info: new/b bounced: 127.0.0.1 said: ",
        "maildirserial: info: returned new/b: qp ",
    ] {
        assert!(errors.contains(part), "{part} in {errors}");
    }
    assert_eq!(maildir.left(), Vec::<String>::new());
    assert_eq!(super::queued(&far_queue), [b"Fs@src.example\0Tjoe@far.example\0\0".to_vec()]);
    assert!(far_queue.messages().iter().any(|text| text.ends_with(b"\nSubject: one\n\n.x\n")));
    assert_eq!(site.queue.envelopes(), [b"F\0Tt@src.example\0\0".to_vec()]);
}

#[test]
fn maildirsmtp_sends_what_waits_and_bounces_what_is_refused() {
    serves("maildirsmtp", 25, "qmail-smtpd", &["me.example"]);
}

#[test]
fn maildirqmtp_does_so_by_qmtp() {
    serves("maildirqmtp", 209, "qmail-qmtpd", &[]);
}

/// However old they are: that the host is away says nothing about them.
#[test]
fn while_the_host_is_away_messages_stay() {
    let (site, maildir) = (Site::new(), filled());
    maildir.set_age("new/a", 10_000_000);
    // A port that nobody listens on.
    let port = harness::free_port();
    let arguments = [path_of(&maildir), PREFIX, "127.0.0.1", "me.example"];
    let outcome = site.call("maildirsmtp", 25, port, &arguments);
    let errors = outcome.err_text();
    assert_eq!(outcome.code, 111, "{errors}");
    assert_eq!(errors.matches("connection refused\n").count(), 3, "{errors}");
    assert!(errors.ends_with("maildirserial: fatal: making no progress, giving up\n"), "{errors}");
    assert_eq!(maildir.left(), ["new/a", "new/b"]);
    assert!(site.queue.messages().is_empty());
}

/// Without one in PATH it is the installation's own.
#[test]
fn tcpclient_is_found_beside_the_script() {
    let (site, maildir) = (Site::new(), filled());
    // An address that no connection can be made to.
    let arguments = [path_of(&maildir), PREFIX, "255.255.255.255", "me.example"];
    let outcome = site.script("maildirsmtp").args(arguments).env("PATH", "/usr/bin:/bin").run();
    let errors = outcome.err_text();
    assert!(!errors.contains("unable to run"), "{errors}");
    assert_eq!((outcome.code, maildir.left().len()), (111, 2), "{errors}");
}

#[test]
fn a_wrong_number_of_arguments_is_answered_with_the_usage() {
    let site = Site::new();
    for (name, usage, wrong) in [
        ("maildirsmtp", "maildirsmtp dir prefix host helohost", &["a", "b", "c"][..]),
        ("maildirqmtp", "maildirqmtp dir prefix host", &["a", "b"]),
    ] {
        let outcome = site.script(name).args(wrong).run();
        assert_eq!((outcome.code, outcome.err_text()), (100, format!("{name}: usage: {usage}\n")));
    }
}
