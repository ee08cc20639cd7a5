//! 7.7: logs without syslog. accustamp and cyclog, which runs as qmaill, keep qmail's log in a directory that belongs to
//! qmaill; the log of tcpserver goes into another one. There are 10 files of 100 KB, or as many and as large as -n and -s say.

use crate::site::{Site, log_files};
use harness::{HOST, free_port, uid_of, wait_until};
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The log directory of the answer.
const DIRECTORY: &str = "mkdir /var/log/qmail; chown qmaill /var/log/qmail; chmod 2700 /var/log/qmail";

fn text_of(directory: &Path) -> String {
    log_files(directory).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn the_log_is_kept_by_cyclog_as_qmaill() {
    let Some(site) = Site::new() else { return };
    site.types(DIRECTORY);
    let rc = "#!/bin/sh\nPATH=\"/var/qmail/bin:$PATH\"\n\
        qmail-start ./Mailbox /usr/local/bin/accustamp \\\n| setuser qmaill /usr/local/bin/cyclog /var/log/qmail &\n";
    site.write_program("/var/qmail/rc", rc);
    site.write("/var/qmail/alias/.qmail-joe", "./Mailbox\n");
    site.types("/var/qmail/rc");
    site.sends("s@src.example", &format!("joe@{HOST}"), "logged");
    let directory = site.path("/var/log/qmail");
    wait_until("the delivery is logged", || {
        text_of(&directory).contains(" delivery 1: success: did_1+0+0/\n")
    });
    let log = text_of(&directory);
    for line in log.lines() {
        let (seconds, fraction) =
            line.split_once(' ').expect("a stamp").0.split_once('.').expect("a fraction");
        assert!(seconds.parse::<u64>().is_ok_and(|seconds| seconds > 1_000_000_000), "{line}");
        assert!(fraction.len() == 6 && fraction.parse::<u32>().is_ok(), "{line}");
    }
    assert!(log.contains(" status: local 0/10 remote 0/20\n"), "{log}");
    assert!(site.read("/var/qmail/alias/Mailbox").contains("\nSubject: logged\n"));
    for (file, _) in log_files(&directory) {
        assert_eq!(
            std::fs::metadata(&file).expect("a log file").uid(),
            uid_of("qmaill"),
            "{}",
            file.display()
        );
    }
    let who = site.installation().who_runs_what();
    assert_eq!(who.get("cyclog").map(String::as_str), Some("qmaill"), "{who:?}");
    // At the end nothing is lost of the log.
    site.types(&format!("kill {}", site.pid_of("qmail-send")));
    wait_until("the end is logged", || text_of(&directory).ends_with(" status: exiting\n"));
    wait_until("all has ended", || site.installation().processes().is_empty());
}

#[test]
fn connections_are_logged_into_a_directory_of_their_own() {
    let Some(site) = Site::new() else { return };
    site.types("mkdir /var/log/smtpd; chown qmaill /var/log/smtpd; chmod 2700 /var/log/smtpd");
    let port = free_port();
    let (uid, gid) = site.smtp_account();
    site.types(&format!(
        "tcpserver -v -RHl0 -u {uid} -g {gid} 127.0.0.1 {port} /var/qmail/bin/qmail-smtpd 2>&1 \
         | /usr/local/bin/accustamp | setuser qmaill /usr/local/bin/cyclog /var/log/smtpd >/dev/null 2>&1 &"
    ));
    wait_until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let mut greeting = [0; 4];
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.read_exact(&mut greeting).expect("a greeting");
    assert_eq!(&greeting, b"220 ");
    drop(stream);
    let directory = site.path("/var/log/smtpd");
    wait_until("the connection is logged", || text_of(&directory).contains(" tcpserver: ok "));
    assert_eq!(site.installation().who_runs_what().get("tcpserver").map(String::as_str), Some("qmaild"));
}

/// How many files, and the size of the largest of them, after a log of so many bytes.
fn kept(site: &Site, cyclog: &str, bytes: usize) -> (usize, usize) {
    site.types("mkdir /var/log/much");
    let line = "x".repeat(99);
    site.types(&format!("yes {line} | head -c {bytes} | {cyclog} /var/log/much"));
    let files = log_files(&site.path("/var/log/much"));
    site.types("rm -r /var/log/much");
    (files.len(), files.iter().map(|(_, text)| text.len()).max().unwrap_or(0))
}

#[test]
fn ten_files_of_100_kb_are_kept_and_otherwise_as_many_as_it_is_told() {
    let Some(site) = Site::new() else { return };
    let (files, largest) = kept(&site, "cyclog", 2_000_000);
    assert!(files == 10 && (96_000..=104_000).contains(&largest), "{files} files of {largest} bytes");
    let (files, largest) = kept(&site, "cyclog -s 1000000 -n 20", 23_000_000);
    assert!(files == 20 && (996_000..=1_000_000).contains(&largest), "{files} files of {largest} bytes");
}
