//! 5.2: qmail-qmtpd serves clients of QMTP, under inetd and tcp-env, or under tcpserver.

use crate::site::Site;
use harness::{HOST, free_port, wait_until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

fn netstring(bytes: &str) -> String {
    format!("{}:{bytes},", bytes.len())
}

/// Sends the postmaster a message by QMTP; the reply.
fn sends_by_qmtp(port: u16, subject: &str) -> String {
    let message = netstring(&format!("\nSubject: {subject}\n\nx\n"));
    let recipients = netstring(&netstring(&format!("postmaster@{HOST}")));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    let package = message + &netstring("s@src.example") + &recipients;
    stream.write_all(package.as_bytes()).and_then(|()| stream.shutdown(Shutdown::Write)).expect("a package");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    reply
}

/// Mail comes in, by qmaild, and is delivered.
fn serves_qmtp(site: &Site, port: u16) {
    let reply = sends_by_qmtp(port, "by qmtp");
    assert!(reply.contains(":Kok ") && reply.ends_with(','), "{reply}");
    site.delivers_all();
    let text = site.postmasters_mailbox();
    for part in ["\nSubject: by qmtp\n", " with QMTP; ", " invoked from network); ", "(127.0.0.1)"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn inetd_runs_it_behind_tcp_env() {
    let Some(site) = Site::new() else { return };
    if !site.runs_inetd("") {
        return;
    }
    let line = "qmtp stream tcp nowait qmaild /var/qmail/bin/tcp-env tcp-env /var/qmail/bin/qmail-qmtpd";
    let port = site.tells_inetd("qmtp", line);
    site.boots();
    serves_qmtp(&site, port);
}

#[test]
fn tcpserver_runs_it() {
    let Some(site) = Site::new() else { return };
    let (port, (uid, gid)) = (free_port(), site.smtp_account());
    site.types(&format!(
        "tcpserver -u {uid} -g {gid} 127.0.0.1 {port} /var/qmail/bin/qmail-qmtpd >/dev/null 2>&1 &"
    ));
    wait_until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    site.boots();
    serves_qmtp(&site, port);
}
