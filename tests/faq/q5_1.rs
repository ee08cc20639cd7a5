//! 5.1: qmail-smtpd runs under tcpserver as qmaild, for at most 40 clients at a time, or as many as -c says; with -v its log says
//! who connects and for how long.

use crate::site::Site;
use harness::{HOST, free_port, skipped, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// A connection whose greeting has come.
fn client(port: u16) -> TcpStream {
    let mut stream = connect(port);
    stream.read_exact(&mut [0; 4]).expect("a greeting");
    stream
}

fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).expect("a connection")
}

/// Types the answer's line, with these options and our port.
fn serves(site: &Site, options: &str) -> u16 {
    let port = site.serves_smtp(options);
    wait_until("that connection is over", || running(site) == 0);
    port
}

/// How many clients have a qmail-smtpd.
fn running(site: &Site) -> usize {
    site.installation().processes().iter().filter(|(_, name)| name == "qmail-smtpd").count()
}

#[test]
fn mail_comes_in_and_each_process_is_qmailds() {
    let Some(site) = Site::new() else { return };
    site.boots();
    let port = serves(&site, "-v");
    let mut stream = client(port);
    let who = site.installation().who_runs_what();
    for program in ["tcpserver", "qmail-smtpd"] {
        assert_eq!(who.get(program).map(String::as_str), Some("qmaild"), "{who:?}");
    }
    let session = format!(
        "HELO c\r\nMAIL FROM:<s@src.example>\r\nRCPT TO:<postmaster@{HOST}>\r\nDATA\r\nSubject: in\r\n\r\n.\r\nQUIT\r\n"
    );
    stream.write_all(session.as_bytes()).expect("a session");
    let mut replies = String::new();
    stream.read_to_string(&mut replies).expect("replies");
    assert!(replies.contains("\n250 ok ") && replies.ends_with(&format!("221 {HOST}\r\n")), "{replies}");
    site.delivers_all();
    let text = site.postmasters_mailbox();
    assert!(text.contains(" invoked from network); "), "{text}");
    // Who connected, and when it began and ended.
    for part in ["tcpserver: status: 1/40\n", " from 127.0.0.1\n", " status 0\n"] {
        site.wait_for_text("/var/log/smtpd", part);
    }
    let peer = format!(":127.0.0.1:{port} ");
    assert!(
        site.read("/var/log/smtpd")
            .lines()
            .any(|line| line.starts_with("tcpserver: ok ") && line.contains(&peer))
    );
}

#[test]
fn forty_clients_are_served_at_a_time() {
    let Some(site) = Site::new() else { return };
    let port = serves(&site, "-RHl0");
    let mut clients: Vec<TcpStream> = (0..40).map(|_| client(port)).collect();
    // The next one is connected by the kernel, and waits.
    let mut late = connect(port);
    crate::site::pause();
    assert_eq!(running(&site), 40);
    drop(clients.pop());
    late.read_exact(&mut [0; 4]).expect("a greeting for the one that waited");
    assert!(running(&site) <= 40);
}

#[test]
fn c_raises_the_limit() {
    let Some(site) = Site::new() else { return };
    let port = serves(&site, "-RHl0 -c 400");
    let clients: Vec<TcpStream> = (0..60).map(|_| client(port)).collect();
    wait_until("all are served", || running(&site) == 60);
    drop(clients);
}

/// The pipeline of the answer, where /dev/log is a socket of the test's.
#[test]
fn splogger_takes_the_log_to_syslog() {
    let Some(site) = Site::new() else { return };
    let syslogd = UnixDatagram::bind(site.path("/var/run/log")).expect("a socket");
    syslogd.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let private = "mount -t tmpfs none /dev && : >/dev/null && ln -s /var/run/log /dev/log";
    if site.tries(&format!("unshare -m sh -c '{private}'")).0 != 0 {
        return skipped("no mount namespace of our own");
    }
    let (port, (uid, gid)) = (free_port(), site.smtp_account());
    site.types(&format!(
        "unshare -m sh -c '{private}; tcpserver -v -u {uid} -g {gid} 127.0.0.1 {port} /var/qmail/bin/qmail-smtpd 2>&1 \
         | /var/qmail/bin/splogger smtpd 3 &'"
    ));
    wait_until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let mut entries = String::new();
    while !entries.contains(" tcpserver: end ") {
        let mut buffer = [0; 4096];
        let length = syslogd.recv(&mut buffer).unwrap_or_else(|error| panic!("{error}: {entries}"));
        // Facility 3, informational.
        assert!(buffer.starts_with(b"<30>"), "{}", String::from_utf8_lossy(&buffer[..length]));
        entries += &String::from_utf8_lossy(&buffer[..length]);
        entries.push('\n');
    }
    for part in [" smtpd: ", " tcpserver: status: 1/40\n", " from 127.0.0.1\n"] {
        assert!(entries.contains(part), "{part:?} in {entries}");
    }
}
