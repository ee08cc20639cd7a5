//! 5.1: qmail-smtpd runs under tcpserver as qmaild, for at most 40 clients at a time, or as many as -c says; with -v its log says
//! who connects and for how long.

use crate::site::Site;
use harness::{HOST, wait_until};
use std::io::{Read, Write};
use std::net::TcpStream;

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
