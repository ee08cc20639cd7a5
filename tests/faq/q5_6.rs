//! 5.6: qmail-qmqpd queues messages of authorized clients, which the rules of tcpserver name; nobody else gets through.

use crate::site::Site;
use harness::{Call, HOST, Running, free_port, wait_until};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn authorized_clients_queue_messages_and_others_are_denied() {
    let Some(site) = Site::new() else { return };
    let (Some(source), Some(swaks)) = (harness::installed("qmqp-source"), harness::installed("swaks")) else {
        return harness::skipped("qmqp-source (Debian: postfix) or swaks is not installed");
    };
    site.write("/etc/qmqp.tcp", "127.0.0.:allow\n:deny\n");
    site.types("tcprules /etc/qmqp.cdb /etc/qmqp.tmp < /etc/qmqp.tcp");
    let (port, (uid, gid)) = (free_port(), site.smtp_account());
    // -v is 5.1's: the log shows who was denied.
    site.types(&format!(
        "tcpserver -v -x /etc/qmqp.cdb -u {uid} -g {gid} 127.0.0.1 {port} /var/qmail/bin/qmail-qmqpd >>/var/log/qmqpd 2>&1 &"
    ));
    wait_until("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    site.boots();
    let from = ["-m", "3", "-s", "1", "-f", "s@src.example", "-t"];
    let call =
        Call::path(&source).args(from).arg(format!("postmaster@{HOST}")).arg(format!("127.0.0.1:{port}"));
    let outcome = call.run();
    assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    wait_until("three messages are delivered", || {
        site.postmasters_mailbox().matches("\nDelivered-To: ").count() == 3
    });
    assert!(site.postmasters_mailbox().contains(" with QMQP; "), "{}", site.postmasters_mailbox());

    let call =
        Call::path(&swaks).args(["--server", "127.0.0.1", "--port", &port.to_string(), "--timeout", "20"]);
    let outcome = call.args(["--local-interface", "127.0.1.7", "--quit-after", "CONNECT"]).run();
    assert_ne!(outcome.code, 0, "{}", outcome.out_text());
    site.wait_for_text("/var/log/qmqpd", ":127.0.1.7:");
    let log = site.read("/var/log/qmqpd");
    let line = log.lines().find(|line| line.contains(":127.0.1.7:")).expect("the line that was found");
    assert!(line.starts_with("tcpserver: deny "), "{line}");
}

/// The other end: a host without a queue, whose users' mail goes to a server by QMQP.
#[test]
fn a_null_client_sends_to_a_server() {
    let Some(site) = Site::new() else { return };
    let Some(sink) = harness::installed("qmqp-sink") else {
        return harness::skipped("qmqp-sink (Debian: postfix) is not installed");
    };
    let port = free_port();
    let mut command = Command::new(sink);
    command.args([&format!("inet:127.0.0.1:{port}"), "20"]).stdin(Stdio::null()).stdout(Stdio::null());
    let mut running = Running::start(&mut command);
    // A client that connects and says nothing would end it, so it is not asked whether it listens.
    let listening = format!(":{port:04X} 00000000:0000 0A ");
    wait_until("qmqp-sink listens", || {
        std::fs::read_to_string("/proc/net/tcp").is_ok_and(|table| table.contains(&listening))
    });
    site.types(&format!("echo '[127.0.0.1]:{port}' > /var/qmail/control/qmqpservers"));
    site.types("ln -sf qmail-qmqpc /var/qmail/bin/qmail-queue");
    let user = site.user("suite-q5-6");
    for text in ["", ".\n", &"line\n".repeat(100_000)] {
        let inject = user.call(&site.path("/var/qmail/bin/qmail-inject"));
        let outcome = inject.input(format!("To: joe@far.example, fred\nSubject: by QMQP\n\n{text}")).run();
        assert_eq!((outcome.code, outcome.err_text().as_str()), (0, ""));
    }
    assert!(running.is_alive() && site.queue_is_empty());
    // Without a server the user is told, and has the message still.
    drop(running);
    let inject = user.call(&site.path("/var/qmail/bin/qmail-inject"));
    let outcome = inject.input("To: joe@far.example\n\n").run();
    assert_eq!(outcome.code, 111);
    assert!(outcome.err_text().contains("(#4.4.1)"), "{}", outcome.err_text());
}
