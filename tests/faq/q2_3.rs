//! 2.3: all outgoing mail goes to uux: a virtual domain for everything, and one line that gives uux the message, its sender and
//! its recipient. uux puts it into the spool directory for the neighbour, where uucico finds it.

use crate::site::Site;
use harness::HOST;
use std::path::PathBuf;

/// The line of the answer.
const LINE: &str =
    r#"|preline -df /usr/bin/uux - -r -gC -a"${SENDER:-MAILER-DAEMON}" gonzo!rmail "($DEFAULT@$HOST)""#;
/// Settings and spool directory of the test in the place of the system's, for qmail and its children alone.
const MOUNTS: &str = "mount --bind /etc/uucp $(echo /etc)/uucp && mount --bind /var/run/uucp /var/spool/uucp";

#[test]
fn outgoing_mail_goes_to_uux() {
    let Some(site) = Site::new() else { return };
    if harness::installed("uux").is_none() {
        return harness::skipped("uux (Debian: uucp) is not installed");
    }
    site.types("mkdir /etc/uucp /var/run/uucp && chown uucp /var/run/uucp");
    site.write("/etc/uucp/config", "nodename zippy\nspool /var/spool/uucp\n");
    site.write("/etc/uucp/sys", "system gonzo\n");
    site.write("/var/qmail/control/virtualdomains", "");
    site.write("/var/qmail/alias/.qmail-uucp-default", &format!("{LINE}\n"));
    if !site.boots_where(MOUNTS) {
        return;
    }
    site.write("/var/qmail/control/virtualdomains", ":alias-uucp\n");
    site.gives_a_hup();
    site.sends("s@src.example", "Joe.User@far.example", "by uucp");
    site.delivers_all();
    // The job, as the packet for the neighbour says it: the file with the message, -a, and the command without its brackets.
    let jobs = jobs(&site);
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert!(jobs[0].0.ends_with(" 0666 s@src.example 0 rmail Joe.User@far.example\n"), "{jobs:?}");
    // -d and -f take away the lines Delivered-To and From_; the one with the return path stays.
    let message = &jobs[0].1;
    assert!(message.starts_with("Return-Path: <s@src.example>\nReceived: "), "{message}");
    assert!(message.contains("\nSubject: by uucp\n"), "{message}");
    // That is what UUCP will do.
    let queue = site.types_where(MOUNTS, "uustat -a");
    assert!(queue.contains(" Executing rmail Joe.User@far.example ("), "{queue}");

    // A bounce has no sender.
    site.types("printf 'Subject: b\n\n' | /var/qmail/bin/qmail-inject -f '' joe@far.example");
    site.delivers_all();
    assert!(self::jobs(&site).iter().any(|(job, _)| job.contains(" MAILER-DAEMON 0 rmail ")), "{jobs:?}");
    // Mail for this host stays here.
    site.sends("s@src.example", &format!("postmaster@{HOST}"), "local");
    site.delivers_all();
    assert_eq!(self::jobs(&site).len(), 2);
}

/// The jobs for gonzo in the spool directory, each with its message.
fn jobs(site: &Site) -> Vec<(String, String)> {
    let read = |path: PathBuf| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
    let spool = site.path("/var/run/uucp").join("gonzo");
    let entries = std::fs::read_dir(spool.join("C.")).expect("jobs for gonzo").flatten();
    entries
        .map(|entry| {
            let job = read(entry.path());
            let data = job.split(' ').nth(1).expect("the file of the message").to_owned();
            (job, read(spool.join("D.").join(data)))
        })
        .collect()
}
