//! `maildirserial`, with clients that are shell scripts.

use super::{Maildir, PREFIX};
use harness::{FakeQueue, MailHome, Outcome};

/// A maildir, and an installation that bounces into a queue of the test's.
struct Site {
    maildir: Maildir,
    home: MailHome,
    queue: FakeQueue,
}

impl Site {
    fn new() -> Site {
        let home = MailHome::new([("me", &b"my.host\n"[..])]);
        let queue = home.fake_queue();
        Site { maildir: Maildir::new(), home, queue }
    }

    /// With messages a, b and c in it, a the oldest.
    fn with_messages() -> Site {
        let site = Site::new();
        for (name, sender) in [("new/a", "s@src.example"), ("cur/b:2,S", ""), ("new/c", "#@[]")] {
            site.maildir.put(name, sender, "Subject: x\n\nbody\nno end");
        }
        site
    }

    /// Runs it with a client of this text, after options.
    fn run(&self, options: &[&str], client: &str) -> Outcome {
        self.call(options, PREFIX, &["sh", "-c", client])
    }

    fn call(&self, options: &[&str], prefix: &str, client: &[&str]) -> Outcome {
        let call = self.home.call("maildirserial").args(options).arg(self.maildir.path()).arg(prefix);
        call.args(client).env("QMAILQUEUE", &self.queue.program).run()
    }
}

/// A client that reports the same of each file that it is given.
fn says(report: &str) -> String {
    format!("tr '\\0' '\\n' | while read -r name; do printf '%s\\0{report}\\n' \"$name\"; done")
}

/// The lines of standard error without the program's name, and with the number of qmail-queue taken out.
fn lines(outcome: &Outcome) -> Vec<String> {
    let text = outcome.err_text();
    let line = |line: &str| {
        let line = line.strip_prefix("maildirserial: ").unwrap_or_else(|| panic!("{line}")).to_owned();
        match line.split_once(": qp ") {
            Some((start, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                format!("{start}: qp N")
            }
            _ => line,
        }
    };
    text.lines().map(line).collect()
}

#[test]
fn what_the_client_has_sent_is_removed_oldest_first() {
    let site = Site::with_messages();
    let outcome = site.run(&[], &says("K1.2.3.4 said: 250 ok"));
    let expected =
        ["new/a", "cur/b:2,S", "new/c"].map(|name| format!("info: {name} succeeded: 1.2.3.4 said: 250 ok"));
    assert_eq!((outcome.code, lines(&outcome)), (0, expected.to_vec()));
    assert_eq!(site.maildir.left(), Vec::<String>::new());
    let outcome = site.run(&[], "echo called >&2");
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
}

/// They are not offered again in the same run.
#[test]
fn what_failed_stays_and_is_tried_once_in_a_run() {
    let site = Site::with_messages();
    for (report, words) in
        [("D550 no", "failed: 550 no"), ("Z", "failed temporarily: "), ("?what", "failed temporarily: what")]
    {
        let outcome = site.run(&[], &says(report));
        let expected = ["new/a", "cur/b:2,S", "new/c"].map(|name| format!("info: {name} {words}"));
        assert_eq!((outcome.code, lines(&outcome)), (111, expected.to_vec()));
    }
    assert_eq!(site.maildir.left().len(), 3);
    assert!(site.queue.messages().is_empty());
}

#[test]
fn only_messages_for_the_prefix_that_are_older_than_a_second_are_offered() {
    let site = Site::with_messages();
    site.maildir.put_file("new/other", "Return-Path: <>\nDelivered-To: alias-slip-joe@x\n\n");
    site.maildir.put_file("new/none", "x\n");
    site.maildir.put_file("new/.hidden", "Return-Path: <>\nDelivered-To: alias-ppp-joe@x\n\n");
    site.maildir.put("new/young", "", "\n");
    // Ahead of now by an hour.
    let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let file =
        std::fs::File::options().append(true).open(site.maildir.path().join("new/young")).expect("a file");
    file.set_modified(ahead).expect("its date");
    std::os::unix::fs::symlink("a", site.maildir.path().join("new/link")).expect("a link");
    let outcome = site.run(&[], &says("K"));
    assert_eq!((outcome.code, lines(&outcome).len()), (0, 3));
    assert_eq!(site.maildir.left(), ["new/.hidden", "new/link", "new/none", "new/other", "new/young"]);
    // Without a prefix any file is a message.
    let outcome = site.call(&[], "", &["sh", "-c", &says("K")]);
    assert_eq!((outcome.code, lines(&outcome).len()), (0, 2));
    assert_eq!(site.maildir.left(), ["new/.hidden", "new/link", "new/young"]);
}

#[test]
fn files_in_tmp_that_nobody_uses_any_more_are_removed() {
    let site = Site::new();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(129_700);
    for name in ["tmp/old", "tmp/young"] {
        let path = site.maildir.put_file(name, "x");
        if name == "tmp/old" {
            let file = std::fs::File::options().append(true).open(path).expect("a file");
            file.set_times(std::fs::FileTimes::new().set_accessed(old)).expect("its date");
        }
    }
    assert_eq!(site.run(&[], "true").code, 0);
    assert_eq!(site.maildir.names_in("tmp"), ["tmp/young"]);
}

#[test]
fn the_sender_of_a_message_that_is_refused_is_told() {
    let site = Site::with_messages();
    let outcome = site.run(&["-b"], &says("D1.2.3.4 said: 550 no"));
    let bounced = |name: &str| format!("info: {name} bounced: 1.2.3.4 said: 550 no");
    let expected = [
        bounced("new/a"),
        "info: returned new/a: qp N".to_owned(),
        bounced("cur/b:2,S"),
        "info: returned cur/b:2,S: qp N".to_owned(),
        bounced("new/c"),
        "info: discarding new/c: triple bounce".to_owned(),
    ];
    assert_eq!((outcome.code, lines(&outcome)), (0, expected.to_vec()));
    assert_eq!(site.maildir.left(), Vec::<String>::new());
    let (mut envelopes, mut messages) = (site.queue.envelopes(), site.queue.messages());
    envelopes.sort();
    assert_eq!(envelopes, [&b"F\0Ts@src.example\0\0"[..], b"F#@[]\0Tpostmaster@my.host\0\0"]);
    messages.sort_by_key(Vec::len);
    let texts: Vec<String> = messages.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    let rest = |text: &str| text.split_once('\n').expect("a date").1.to_owned();
    let double = "From: MAILER-DAEMON@my.host\nTo: postmaster@my.host\nSubject: failure notice\n\n\
        Hi. This is the maildirbounce program at my.host.\n\
        I tried to deliver a bounce message to this address, but the bounce bounced!\n\n\
        <joe@far.example>:\n1.2.3.4 said: 550 no\n\n\
        --- Below this line is the original bounce.\n\n\
        Return-Path: <>\nSubject: x\n\nbody\nno end";
    let single = "From: MAILER-DAEMON@my.host\nTo: s@src.example\nSubject: failure notice\n\n\
        Hi. This is the maildirbounce program at my.host.\n\
        I'm afraid I wasn't able to deliver your message to the following address.\n\
        This is a permanent error; I've given up. Sorry it didn't work out.\n\n\
        <joe@far.example>:\n1.2.3.4 said: 550 no\n\n\
        --- Below this line is a copy of the message.\n\n\
        Return-Path: <s@src.example>\nSubject: x\n\nbody\nno end";
    assert_eq!([rest(&texts[0]), rest(&texts[1])], [double, single]);
    assert!(texts.iter().all(|text| text.starts_with("Date: ") && text.contains(" -0000\n")));
}

#[test]
fn control_files_say_who_bounces_come_from_and_who_hears_of_double_ones() {
    let site = Site::with_messages();
    for (name, text) in [
        ("bouncefrom", "DAEMON \t\n"),
        ("bouncehost", "b.host\n"),
        ("doublebounceto", "boss\n"),
        ("doublebouncehost", "d.host\n"),
    ] {
        site.home.control(name, text);
    }
    assert_eq!(site.run(&["-b"], &says("Dno")).code, 0);
    let mut envelopes = site.queue.envelopes();
    envelopes.sort();
    assert_eq!(envelopes[1], b"F#@[]\0Tboss@d.host\0\0");
    let texts: Vec<String> =
        site.queue.messages().iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    let begins = "\nFrom: DAEMON@b.host\nTo: ";
    assert!(texts.iter().all(|text| text.contains(begins) && text.contains(" at b.host.\n")), "{texts:?}");
}

#[test]
fn a_message_that_is_put_off_for_too_long_is_refused() {
    let site = Site::with_messages();
    site.maildir.set_age("new/a", 7200);
    site.maildir.set_age("cur/b:2,S", 3000);
    site.maildir.set_age("new/c", 2000);
    // Without -b it only counts as a failure.
    let outcome = site.run(&["-t3600"], &says("Zlater"));
    assert_eq!(lines(&outcome)[0], "info: new/a failed: later");
    let outcome = site.run(&["-b", "-t", "3600"], &says("Zlater"));
    let expected = [
        "info: new/a bounced: later",
        "info: returned new/a: qp N",
        "info: cur/b:2,S failed temporarily: later",
        "info: new/c failed temporarily: later",
    ];
    assert_eq!((outcome.code, lines(&outcome)), (111, expected.map(str::to_owned).to_vec()));
    let text = String::from_utf8_lossy(&site.queue.messages()[0]).into_owned();
    assert!(text.contains("\nlater\n[This message is too old. Giving up.]\n\n---"), "{text}");
}

/// A bounce that cannot be queued leaves its message where it is.
#[test]
fn a_message_stays_until_its_bounce_is_in_the_queue() {
    let site = Site::with_messages();
    let call = site.home.call("maildirserial").arg("-b").arg(site.maildir.path()).arg(PREFIX);
    let client = says("Dno");
    let call =
        call.args(["sh", "-c", &client]).env("QMAILQUEUE", &site.queue.program).env("FAKEQUEUE_EXIT", "53");
    let outcome = call.run();
    let warning = "warning: unable to bounce new/a: qq failed: qq write error or disk full (#4.3.0)";
    assert_eq!((outcome.code, lines(&outcome)[1].as_str()), (111, warning));
    assert_eq!(site.maildir.left(), ["cur/b:2,S", "new/a"]);
    site.maildir.put_file("new/none", "x\n");
    let outcome = site.call(&["-b"], "", &["sh", "-c", &says("Dno")]);
    assert!(lines(&outcome).contains(&"warning: unable to bounce new/none: bad file format".to_owned()));
    assert_eq!((outcome.code, site.maildir.left()), (111, vec!["new/none".to_owned()]));
}

/// The original goes round for ever: each report counts as progress there.
#[test]
fn a_client_that_repeats_one_report_is_given_up() {
    let site = Site::with_messages();
    let client = "cat >/dev/null; printf 'new/a\\0Zlater\\nnew/a\\0Zlater\\n'";
    let outcome = site.run(&[], client);
    let again = "warning: client reports on a message that is not open: new/a";
    let expected = ["info: new/a failed temporarily: later", again, again, again, again, again, again, again];
    let mut found = lines(&outcome);
    assert_eq!(found.pop().as_deref(), Some("fatal: making no progress, giving up"));
    assert_eq!((outcome.code, found), (111, expected.map(str::to_owned).to_vec()));
}

/// A client names what it likes; only what it was offered is touched.
#[test]
fn a_report_about_another_file_removes_nothing() {
    let site = Site::with_messages();
    let other = site.maildir.path().join("precious");
    std::fs::write(&other, "x").expect("a file");
    let client = "cat >/dev/null; printf 'precious\\0Kok\\n../x\\0Kok\\nnew/a\\0Kok'";
    let outcome = site.run(&[], client);
    assert_eq!(outcome.code, 111);
    assert!(other.exists());
    // A report without an end is none.
    assert_eq!(site.maildir.left().len(), 3);
}

#[test]
fn a_client_that_does_nothing_is_run_three_times() {
    let site = Site::with_messages();
    let outcome = site.call(&[], PREFIX, &["no-such-client"]);
    let unable = "fatal: unable to run no-such-client: file does not exist";
    let expected = [unable, unable, unable, "fatal: making no progress, giving up"];
    assert_eq!((outcome.code, lines(&outcome)), (111, expected.map(str::to_owned).to_vec()));
}

#[test]
fn how_a_client_ends_decides_whether_there_is_another_round() {
    let site = Site::with_messages();
    let outcome = site.run(&[], "exit 100");
    assert_eq!((outcome.code, outcome.err_text().as_str()), (100, ""));
    let outcome = site.run(&[], "kill -9 $$");
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, "maildirserial: fatal: client crashed\n"));
    // One message a round, and a status that means nothing.
    let client = "head -z -n 1 | tr '\\0' '\\n' | { read -r name; printf '%s\\0Kok\\n' \"$name\"; }; exit 7";
    let outcome = site.run(&[], client);
    assert_eq!((outcome.code, lines(&outcome).len(), site.maildir.left().len()), (0, 3, 0));
}

/// Neither side waits for the other with a full pipe.
#[test]
fn many_messages_are_offered_and_reported_at_once() {
    let site = Site::new();
    for number in 0..3000 {
        let name = format!("new/{number}.a-name-that-is-long-enough-to-fill-every-pipe-with-names");
        std::fs::write(
            site.maildir.path().join(&name),
            format!("Return-Path: <>\nDelivered-To: {PREFIX}j@x\n\n"),
        )
        .expect("a message");
        site.maildir.set_age(&name, 100);
    }
    let outcome = site.run(&[], &says("Kok"));
    assert_eq!((outcome.code, lines(&outcome).len(), site.maildir.left().len()), (0, 3000, 0));
}

#[test]
fn a_maildir_that_is_not_there_is_named() {
    let site = Site::new();
    let outcome = site.home.call("maildirserial").args(["/nonexistent", "", "true"]).run();
    let error = "maildirserial: fatal: unable to chdir to /nonexistent: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, error));
    std::fs::remove_dir(site.maildir.path().join("cur")).expect("an empty directory");
    let outcome = site.run(&[], "true");
    let error = "maildirserial: fatal: unable to scan $MAILDIR/cur: file does not exist\n";
    assert_eq!((outcome.code, outcome.err_text().as_str()), (111, error));
    std::fs::create_dir(site.home.path().join("control/bouncefrom")).expect("a directory in place of a file");
    let outcome = site.run(&[], "true");
    let path = site.home.path().join("control/bouncefrom");
    let error = format!("maildirserial: fatal: unable to read {}: is a directory\n", path.display());
    assert_eq!((outcome.code, outcome.err_text()), (111, error));
}

/// Control characters of a client's do not reach a terminal or forge a line.
#[test]
fn s4_what_a_client_says_is_one_printable_line() {
    let site = Site::with_messages();
    let client =
        "cat >/dev/null; printf 'new/a\\0Zx\\033[2J\\r\\n'; printf 'new/\\nmaildirserial: info: y\\0Kok\\n'";
    let outcome = site.run(&[], client);
    let found = lines(&outcome);
    assert_eq!(found[0], "info: new/a failed temporarily: x?[2J?");
    let forged = "warning: client reports on a message that is not open: new/?maildirserial: info: y";
    assert_eq!(found[1], forged);
}
