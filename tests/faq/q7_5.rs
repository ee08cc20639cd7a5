//! 7.5: backing up the queue and restoring it, of which the answer says that it cannot be done: no consistent copy can be had
//! while qmail-send runs, and names have to be inode numbers. Both can be had here; that mail which came after the last
//! backup is not in it remains true.

use crate::site::Site;
use harness::{HOST, SmtpSink, free_port, wait_until};

/// A host on which two messages wait for another one, and a third for a local mailbox that is busy.
fn host_with_waiting_mail() -> Option<Site> {
    let site = Site::new()?;
    let closed = free_port();
    site.write("/var/qmail/control/smtproutes", &format!("dst.example:[127.0.0.1]:{closed}\n"));
    site.write("/var/qmail/alias/.qmail-busy", "|exit 111\n");
    site.boots();
    for (recipient, subject) in [("a@dst.example", "one"), ("b@dst.example", "two"), ("busy", "three")] {
        site.sends("s@src.example", recipient, subject);
    }
    wait_until("all wait", || site.read("/var/log/qmail").matches(": deferral: ").count() == 3);
    Some(site)
}

/// The other host answers, and the mailbox is free.
fn goes_through_on(site: &Site) -> SmtpSink {
    let other = SmtpSink::start().expect("a server");
    site.write("/var/qmail/control/smtproutes", &other.route());
    site.write("/var/qmail/alias/.qmail-busy", "./Mailbox\n");
    site.types("qmail-tcpok");
    other
}

fn ends_qmail(site: &Site) {
    site.types(&format!("kill {}", site.pid_of("qmail-send")));
    site.wait_for_end_of("qmail-send");
}

/// All three have arrived, once.
fn arrived(site: &Site, other: &SmtpSink) {
    site.delivers_all();
    let texts = other.texts().concat() + &site.read("/var/qmail/alias/Mailbox");
    for subject in ["one", "two", "three"] {
        assert_eq!(texts.matches(&format!("\nSubject: {subject}\n")).count(), 1, "{texts}");
    }
}

#[test]
fn a_queue_is_backed_up_while_qmail_runs_and_restored_when_its_disk_has_died() {
    let Some(site) = host_with_waiting_mail() else { return };
    assert_eq!(site.types("qmail-queuectl snapshot /var/run/backup"), "3 messages\n");
    // In the time that is left a message is delivered, and the log has it.
    site.write("/var/qmail/alias/.qmail-busy", "./Mailbox\n");
    site.types(&format!("kill -ALRM {}", site.pid_of("qmail-send")));
    site.wait_for_text("/var/log/qmail", ": success: ");
    ends_qmail(&site);
    site.types("rm -r /var/qmail/queue && qmail-setup install /var/qmail");

    let other = goes_through_on(&site);
    site.boots();
    let report = site.types("qmail-queuectl restore /var/run/backup /var/log/qmail");
    assert_eq!(report.matches(": restored as ").count(), 2, "{report}");
    assert_eq!(report.matches(": not restored: nothing is left to do\n").count(), 1, "{report}");
    arrived(&site, &other);
    assert_eq!(site.types("qmail-setup check /var/qmail"), "");
}

#[test]
fn a_queue_is_moved_to_another_host() {
    let Some(old) = host_with_waiting_mail() else { return };
    let Some(new) = Site::new() else { return };
    ends_qmail(&old);
    // Nobody has looked at this one yet.
    old.sends("s@src.example", "postmaster", "four");
    old.types("qmail-queuectl snapshot /var/run/backup");
    new.types(&format!("cp -a {} /var/run/backup", old.path("/var/run/backup").display()));
    new.types(&format!("qmail-setup config /var/qmail {HOST}"));
    let report = new.types("qmail-queuectl restore /var/run/backup");
    assert_eq!(report.matches(": restored as ").count(), 4, "{report}");
    assert_eq!(report.matches(": may be delivered twice to ").count(), 4, "{report}");
    // Each file belongs to the account that it would belong to if the message had come in here.
    assert_eq!(new.types("find /var/qmail/queue -type f -user root"), "");
    let owner = |kind: &str| {
        new.types(&format!("find /var/qmail/queue/{kind} -type f | xargs stat -c '%U %a' | sort -u"))
    };
    assert_eq!([owner("mess"), owner("todo")], ["qmailq 644\n"; 2]);
    assert_eq!([owner("info"), owner("remote"), owner("local")], ["qmails 600\n"; 3]);
    let other = goes_through_on(&new);
    new.boots();
    arrived(&new, &other);
    assert_eq!(new.postmasters_mailbox().matches("\nSubject: four\n").count(), 1);
}

/// Nobody else gets at the mail in a snapshot, or puts mail into the queue by one.
#[test]
fn snapshots_are_for_root() {
    let Some(site) = Site::new() else { return };
    site.types("qmail-queuectl snapshot /var/run/backup");
    assert_eq!(
        site.types("stat -c '%U %a' /var/run/backup /var/run/backup/messages"),
        "root 700\nroot 600\n"
    );
    let user = site.user("suite-q7-5");
    for words in ["snapshot backup", "restore backup"] {
        let outcome = user.call(&site.path("/var/qmail/bin/qmail-queuectl")).args(words.split(' ')).run();
        assert_eq!(outcome.code, 100, "{words}: {}", outcome.err_text());
        assert!(
            outcome.err_text().contains("only root and qmails may control the queue"),
            "{}",
            outcome.err_text()
        );
    }
    let theirs = site.path("/var/run/theirs").display().to_string();
    site.types(&format!(
        "mkdir -m 700 {theirs} && cp /var/run/backup/messages {theirs} && chown -R nobody {theirs}"
    ));
    let (code, text) = site.tries(&format!("qmail-queuectl restore {theirs}"));
    assert_eq!(code, 100, "{text}");
    assert!(text.ends_with("it belongs to somebody else, or others may write to it\n"), "{text}");
}
